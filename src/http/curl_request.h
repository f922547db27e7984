// Checks and translates what is ours into what libcurl wants. Nothing that libcurl would silently
// change, drop or take for two things gets through to it.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "http/curl_handles.h"
#include "http/transport.h"

namespace sparkles {

struct HttpTarget {
  std::string scheme;  // "https"
  std::string name;    // the host without port and brackets
  int port = 0;
  std::string origin;  // "https://host:443": what a connection can be used again for
  std::string host;    // "host", or "host:8080" where the port is not the usual one: for messages
};

// InvalidArgument, without the URL, unless it is http or https, without user, password and
// fragment, all printable ASCII.
absl::StatusOr<HttpTarget> ParseTarget(const std::string& url);

// True if `text` may be a method or a header's name: a token of RFC 9110, section 5.6.2.
bool IsToken(absl::string_view text);

// InvalidArgument if a method or header could smuggle in another line, or if a GET has a body.
absl::Status CheckRequest(const HttpRequest& request);

// GET and HEAD: the ones that may be sent twice without asking.
bool IsSafeMethod(absl::string_view method);

uint64_t BodyBytes(const HttpRequest& request);

// The headers of a checked request. Framing is the transport's: Content-Length, Transfer-Encoding
// and Expect are left out. Null if memory is out.
CurlList MakeHeaderList(const HttpRequest& request);

}  // namespace sparkles
