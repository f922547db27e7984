// Counts the bytes that a process and its reaped children read from and wrote to storage.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace sparkles {

struct IoBytes {
  int64_t read = 0;
  int64_t written = 0;
};

// From the text of /proc/PID/io. A missing count is 0.
IoBytes ParseIoBytes(absl::string_view io);

// The counts of the calling process. `proc_root` is /proc, or a directory like it in tests.
IoBytes ReadIoBytes(const std::string& proc_root);

}  // namespace sparkles
