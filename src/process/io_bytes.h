// What a process and all those that it waited for have read from and written to storage.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace sparkles {

struct IoBytes {
  int64_t read = 0;
  int64_t written = 0;
};

// From the text of /proc/PID/io; 0 for what it does not tell.
IoBytes ParseIoBytes(absl::string_view io);

// Of this process.
IoBytes ReadIoBytes(const std::string& proc_root);

}  // namespace sparkles
