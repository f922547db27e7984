// Hands a claim back while the main thread hangs.
#pragma once

#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "queue/queue.h"

namespace sparkles {

// Thread-safe.
class TimedHandBack {
 public:
  // Borrows `queue` and needs it alone. After a call that reaches its limit, `queue` stays in use
  // until the process ends.
  explicit TimedHandBack(Queue& queue) : queue_(queue) {}

  // Returns after `limit` at the latest. DeadlineExceeded: the claim may or may not be handed back.
  // Unavailable: another call is running, or no thread could be started.
  absl::Status HandBack(const Claim& claim, const std::string& reason, absl::Duration limit);

 private:
  Queue& queue_;
  std::atomic<bool> busy_ = false;
};

}  // namespace sparkles
