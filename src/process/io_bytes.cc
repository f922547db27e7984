#include "process/io_bytes.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/proc.h"

namespace sparkles {

IoBytes ParseIoBytes(absl::string_view io) {
  IoBytes bytes;
  for (absl::string_view line : absl::StrSplit(io, '\n')) {
    int64_t number = 0;
    if (absl::ConsumePrefix(&line, "read_bytes:") && absl::SimpleAtoi(line, &number)) {
      bytes.read = std::max<int64_t>(number, 0);
    } else if (absl::ConsumePrefix(&line, "write_bytes:") && absl::SimpleAtoi(line, &number)) {
      bytes.written = std::max<int64_t>(number, 0);
    }
  }
  return bytes;
}

IoBytes ReadIoBytes(const std::string& proc_root) {
  return ParseIoBytes(ReadProcFile(proc_root + "/self/io"));
}

}  // namespace sparkles
