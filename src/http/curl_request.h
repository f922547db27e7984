// Checks requests and translates them for libcurl.
// The checks refuse all that libcurl would silently change, drop or split.
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
  std::string origin;  // "https://host:443"; requests with the same origin can share a connection
  std::string host;    // for messages: "host", or "host:8080" with a port that is not the default
};

// InvalidArgument unless `url` is http or https, is printable ASCII, and has no user, password or
// fragment. The message does not contain the URL.
absl::StatusOr<HttpTarget> ParseTarget(const std::string& url);

// True if `text` may be a method or a header's name: a token of RFC 9110, section 5.6.2.
bool IsToken(absl::string_view text);

// InvalidArgument if the method or a header contains characters that could start another line, or
// if a GET or HEAD has a body.
absl::Status CheckRequest(const HttpRequest& request);

// True for GET and HEAD, which may always be sent twice.
bool IsSafeMethod(absl::string_view method);

// The length of the request's body.
uint64_t BodyBytes(const HttpRequest& request);

// The headers of a checked request, without Content-Length, Transfer-Encoding and Expect, which the
// transport sets. Null if memory runs out.
CurlList MakeHeaderList(const HttpRequest& request);

}  // namespace sparkles
