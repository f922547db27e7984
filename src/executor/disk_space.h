// Measures the free space and the free files of a file system.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sparkles {

struct DiskSpace {
  uint64_t free_bytes = 0;             // for this user
  uint64_t least_bytes = 0;            // needed before the worker claims a task
  std::optional<uint64_t> free_files;  // nullopt if the file system does not count files
  bool read_only = false;

  bool lacks_bytes() const { return free_bytes < least_bytes; }
  bool lacks_files() const;
};

// The space where `directory` is. `min_free_bytes` is the flag --minFreeSpace; nullopt means 100
// MiB, or 1 % of a file system that is smaller than 10 GiB. Errors are machine faults and begin
// with `name`.
absl::StatusOr<DiskSpace> MeasureSpace(const std::string& directory,
                                       std::optional<uint64_t> min_free_bytes,
                                       absl::string_view name);

// ResourceExhausted, a machine fault, if there is too little space. The message begins with `name`.
absl::Status ExplainLackOfSpace(const DiskSpace& space, absl::string_view name);

}  // namespace sparkles
