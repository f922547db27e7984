#include "process/io_bytes.h"

#include <algorithm>

#include "base/proc.h"

namespace sparkles {

IoBytes ParseIoBytes(absl::string_view io) {
  const auto count = [io](absl::string_view name) {
    return std::max<int64_t>(FindNumber(io, name).value_or(0), 0);
  };
  return {count("read_bytes"), count("write_bytes")};
}

IoBytes ReadIoBytes(const std::string& proc_root) {
  return ParseIoBytes(ReadProcFile(proc_root + "/self/io"));
}

}  // namespace sparkles
