// Parses the head of an HTTP/1 request, for a server that answers only GET and HEAD.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace sparkles {

// Longer heads are refused. Browsers and scrapers send less than 2 KiB.
inline constexpr size_t kMaxRequestHead = 8192;

struct RequestHead {
  // 0 if more bytes are needed, 200 if the request is valid, or the status of the refusal.
  int status = 0;
  bool head_only = false;  // a HEAD request
  std::string path;        // without the query, not decoded
};

// `received` is all that the client has sent so far. It may contain any bytes.
RequestHead ParseRequestHead(absl::string_view received);

}  // namespace sparkles
