// Whether this machine has room for one more task.
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
  // How much must be free where the two are; nullopt: 100 MiB, or 1 % of a file system that is
  // smaller than 10 GiB.
  std::optional<uint64_t> min_free_bytes;
  std::optional<uint64_t> cache_bytes;  // how large the cache may be between tasks
};

// Used by one thread.
class SpaceGuard {
 public:
  // Borrows `activity`, which ends the removal of cache entries: there may be millions of them.
  SpaceGuard(SpaceOptions options, const Activity& activity, Log log)
      : options_(std::move(options)), activity_(activity), log_(std::move(log)) {}

  // For before a claim: brings the cache down to its size, and below that where space is short;
  // what running tasks use stays. An error if there is too little space all the same, or nothing
  // can be written; it names the folder.
  absl::Status Check();

 private:
  absl::Status CheckFolder(const std::string& folder, absl::string_view flag);
  void Evict(uint64_t bytes, uint64_t limit);

  const SpaceOptions options_;
  const Activity& activity_;
  const Log log_;
  bool warned_ = false;  // has warned that the cache's locks cannot be used
};

}  // namespace sparkles
