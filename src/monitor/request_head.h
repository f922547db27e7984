// The head of an HTTP/1 request, as far as a server needs it that only answers GET and HEAD.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace sparkles {

// A longer head is refused: browsers and scrapers send less than 2 KiB.
inline constexpr size_t kMaxRequestHead = 8192;

struct RequestHead {
  // 0: more bytes are needed. 200: a request to answer. Else the status to refuse it with.
  int status = 0;
  bool head_only = false;  // a HEAD request
  std::string path;        // without the query; as it was sent, not decoded
};

// `received` is what has come so far, which anybody may have sent.
RequestHead ParseRequestHead(absl::string_view received);

}  // namespace sparkles
