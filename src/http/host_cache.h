// Shares the addresses of hosts among threads: one thread looks a host up, the others wait for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/mutex.h"
#include "http/host_lookup.h"

namespace sparkles {

using HostLookup = std::function<HostAddresses(const std::string& host, absl::Duration patience,
                                               const CancelToken* cancel)>;

// Thread-safe. Never forgets a host: a worker asks for few.
class HostCache {
 public:
  explicit HostCache(HostLookup look_up) : look_up_(std::move(look_up)) {}

  // Numeric addresses, the preferred ones first; empty if none was found within `patience` or
  // before `cancel` (may be null) was cancelled. A failure is not cached.
  std::vector<std::string> Find(const std::string& host, absl::Duration patience,
                                const CancelToken* cancel);

 private:
  struct Entry {
    std::vector<std::string> ips;
    std::chrono::steady_clock::time_point good_until;
    bool looking = false;
    uint64_t lookups = 0;  // that ended without being cancelled
  };

  const HostLookup look_up_;
  Mutex mutex_;
  CondVar ended_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sparkles
