// Fuzzes the health port: any bytes must get an answer, and further bytes must not change it.

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "monitor/request_head.h"
#include "tests/fuzz/require.h"

namespace sparkles {
namespace {

void Check(absl::string_view input) {
  const RequestHead head = ParseRequestHead(input);
  if (head.status == 0) {
    Require(input.size() <= kMaxRequestHead, "no more than a head's worth is waited for");
    return;
  }
  Require(head.status >= 200 && head.status < 600, "a status of HTTP");
  if (head.status != 200) return;
  Require(head.path.substr(0, 1) == "/", "a path");
  Require(head.path.find_first_of("?\r\n ") == std::string::npos, "nothing but a path");
  const RequestHead again = ParseRequestHead(absl::StrCat(input, "more"));
  Require(again.status == 200 && again.path == head.path, "the answer does not depend on the rest");
}

}  // namespace
}  // namespace sparkles

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sparkles::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
