// Shares the addresses of hosts between threads: one thread looks up a host, and the others wait.
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

using HostLookup = std::function<HostAddresses(const std::string& host, absl::Duration timeout,
                                               const CancelToken* cancel)>;

// Thread-safe. Never removes an entry, because a worker uses few hosts.
class HostCache {
 public:
  explicit HostCache(HostLookup look_up) : look_up_(std::move(look_up)) {}

  // The numeric addresses of `host`, preferred ones first. Empty if none was found within
  // `timeout`, or before `cancel` (may be null) was cancelled. Failures are not cached.
  std::vector<std::string> Find(const std::string& host, absl::Duration timeout,
                                const CancelToken* cancel);

 private:
  struct Entry {
    std::vector<std::string> ips;
    std::chrono::steady_clock::time_point valid_until;
    bool lookup_running = false;
    uint64_t lookups = 0;  // number of lookups that ended without cancellation
  };

  const HostLookup look_up_;
  Mutex mutex_;
  CondVar ended_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sparkles
