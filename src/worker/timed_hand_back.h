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
  // Borrows `queue`, which nobody else may use. After a call that ran into its limit it is in use
  // until the process ends.
  explicit TimedHandBack(Queue& queue) : queue_(queue) {}

  // Returns after `limit` at the latest. DeadlineExceeded: the claim may be handed back or not.
  // Unavailable: another call is under way, or no thread can be had.
  absl::Status HandBack(const Claim& claim, const std::string& reason, absl::Duration limit);

 private:
  Queue& queue_;
  std::atomic<bool> busy_ = false;
};

}  // namespace sparkles
