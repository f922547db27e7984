// Makes room in the cache folder.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "base/activity.h"

namespace sparkles {

struct Evicted {
  int entries = 0;
  uint64_t bytes = 0;       // on disk, of those
  uint64_t bytes_left = 0;  // of the entries that stay
  absl::Status locks;       // an error: nothing was removed, since uses cannot be seen
};

// Removes entries of the cache `folder` (executor/content_cache.h), those first that were not used
// for longest, until `bytes` are freed and at most `limit` bytes are left. What a running task has
// links into stays (CacheUse), as does what cannot be removed. Safe against any other worker on the
// folder and against kill -9 at any instant: an entry that is going has no name, or all of it.
// Each entry is work of `activity`; once that is cancelled, nothing more goes.
Evicted EvictEntries(const std::string& folder, uint64_t bytes, uint64_t limit,
                     const Activity& activity = Activity());

// Whether room that is made in the one folder is room in the other.
bool OnOneDisk(const std::string& one, const std::string& other);

}  // namespace sparkles
