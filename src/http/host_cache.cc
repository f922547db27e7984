#include "http/host_cache.h"

#include <utility>

namespace sparkles {
namespace {

using Steady = std::chrono::steady_clock;

// Interval at which a waiting thread checks for cancellation.
constexpr absl::Duration kCancelPoll = absl::Milliseconds(50);

bool IsCancelled(const CancelToken* cancel) { return cancel != nullptr && cancel->cancelled(); }

}  // namespace

std::vector<std::string> HostCache::Find(const std::string& host, absl::Duration timeout,
                                         const CancelToken* cancel) {
  const Steady::time_point end = Steady::now() + absl::ToChronoNanoseconds(timeout);
  {
    MutexLock lock(mutex_);
    Entry& entry = entries_[host];
    const uint64_t lookups = entry.lookups;
    while (entry.lookup_running && Steady::now() < end && !IsCancelled(cancel)) {
      ended_.WaitFor(mutex_, kCancelPoll);
    }
    if (entry.lookups != lookups || Steady::now() < entry.valid_until) return entry.ips;
    if (entry.lookup_running || IsCancelled(cancel)) return {};
    entry.lookup_running = true;
  }
  HostAddresses found = look_up_(host, timeout, cancel);
  MutexLock lock(mutex_);
  Entry& entry = entries_[host];
  entry.lookup_running = false;
  if (!IsCancelled(cancel)) ++entry.lookups;
  entry.ips = std::move(found.ips);
  entry.valid_until = entry.ips.empty()
                          ? Steady::time_point()
                          : Steady::now() + absl::ToChronoNanoseconds(found.valid_for);
  ended_.NotifyAll();
  return entry.ips;
}

}  // namespace sparkles
