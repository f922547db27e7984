#include "monitor/request_head.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace sparkles {
namespace {

RequestHead Refused(int status) { return {.status = status, .head_only = false, .path = ""}; }

// True if `text` is not empty and consists of visible ASCII characters.
bool IsVisible(absl::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

RequestHead ParseRequestHead(absl::string_view received) {
  const size_t line_end = received.find("\r\n");
  const size_t head_end = received.find("\r\n\r\n");
  if (head_end == absl::string_view::npos) {
    // A client that does not speak HTTP, for example one that starts TLS, is refused at once.
    if (!received.empty() && (received[0] < 'A' || received[0] > 'Z')) return Refused(400);
    return received.size() > kMaxRequestHead ? Refused(431) : RequestHead();
  }
  if (head_end > kMaxRequestHead) return Refused(431);
  const std::vector<absl::string_view> words = absl::StrSplit(received.substr(0, line_end), ' ');
  if (words.size() != 3 || !std::all_of(words.begin(), words.end(), IsVisible)) return Refused(400);
  if (!absl::StartsWith(words[2], "HTTP/1.")) return Refused(words[2] == "HTTP/2.0" ? 505 : 400);
  if (!absl::StartsWith(words[1], "/")) return Refused(400);
  if (words[0] != "GET" && words[0] != "HEAD") return Refused(405);
  return {.status = 200,
          .head_only = words[0] == "HEAD",
          .path = std::string(words[1].substr(0, words[1].find('?')))};
}

}  // namespace sparkles
