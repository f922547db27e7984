// Hands a claim back within a time limit while the main thread hangs.
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
  // Borrows `queue`. No other code may use this object of the queue. After a call that has reached
  // its limit, `queue` stays in use until the process ends.
  explicit TimedHandBack(Queue& queue) : queue_(queue) {}

  // Returns after `limit` at the latest. DeadlineExceeded: the claim may be handed back or not.
  // Unavailable: another call is running, or no thread could be started. Other errors are those of
  // the queue.
  absl::Status HandBack(const Claim& claim, const std::string& reason, absl::Duration limit);

 private:
  Queue& queue_;
  std::atomic<bool> busy_ = false;
};

}  // namespace sparkles
