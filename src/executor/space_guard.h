// Checks before each claim that the disks have space for another task.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/activity.h"
#include "base/log.h"

namespace sparkles {

struct SpaceOptions {
  std::string tasks_dir;
  std::string cache_dir;
  // Minimum free space in both directories. nullopt: 100 MiB, or 1 % of a file system that is
  // smaller than 10 GiB.
  std::optional<uint64_t> min_free_bytes;
  std::optional<uint64_t> cache_bytes;  // maximum size of the cache between tasks
};

// Used by one thread.
class SpaceGuard {
 public:
  // Borrows `activity`, whose cancellation ends the removal of cache entries.
  SpaceGuard(SpaceOptions options, const Activity& activity, Log log)
      : options_(std::move(options)), activity_(activity), log_(std::move(log)) {}

  // Call before a claim. Evicts unused cache entries until the cache has its maximum size, and more
  // entries if space is short. A machine fault if there is still too little space, or a directory
  // is not writable. The message names the directory.
  absl::Status Check();

 private:
  absl::Status CheckDirectory(const std::string& directory, absl::string_view flag);
  void Evict(uint64_t bytes, uint64_t limit);

  const SpaceOptions options_;
  const Activity& activity_;
  const Log log_;
  bool warned_ = false;  // the warning about unusable locks was logged
};

}  // namespace sparkles
