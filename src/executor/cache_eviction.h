// Frees disk space by removing entries of the cache.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "base/activity.h"

namespace sparkles {

struct Evicted {
  int entries = 0;
  uint64_t bytes = 0;       // size on disk of the removed entries
  uint64_t bytes_left = 0;  // size on disk of all other entries
  absl::Status locks;       // an error if the locks cannot be read; then nothing was removed
};

// Removes entries of the cache `directory` (executor/content_cache.h), the least recently used
// first, until `bytes` are freed and at most `limit` bytes are left. Entries that a running task
// links to (CacheUse) stay. Safe while other workers use the directory, and after kill -9 at any
// instant: an entry is complete or has no name. Each entry is work of `activity`, whose
// cancellation ends the removal.
Evicted EvictEntries(const std::string& directory, uint64_t bytes, uint64_t limit,
                     const Activity& activity = Activity());

// True if both paths are on the same file system, so that space freed in one serves the other.
bool OnSameFileSystem(const std::string& one, const std::string& other);

}  // namespace sparkles
