// Distinguishes lasting refusals of a server from temporary ones.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "absl/time/time.h"

namespace sparkles {

// Measures for how long the server has refused the end of a claim. The task's id and the claim's
// time identify the claim. Used by one thread.
class Refusals {
 public:
  // A refusal is final after this time. The consumer retries the end of a task for the same time
  // (worker/consumer.cc).
  static constexpr absl::Duration kFinalAfter = absl::Minutes(5);
  // The time between two refusals counts as at most one minute, because the clock may jump, or
  // there may be a long pause without a request.
  static constexpr absl::Duration kMaxStep = absl::Minutes(1);

  // Counts a refusal. True if it is final.
  bool Add(const std::string& task_id, absl::Time claimed_at, absl::Time now);
  // Call this when the claim has ended.
  void Forget(const std::string& task_id, absl::Time claimed_at) {
    refused_.erase({task_id, claimed_at});
  }

 private:
  struct Refused {
    absl::Time last;
    absl::Duration total;
  };
  std::map<std::pair<std::string, absl::Time>, Refused> refused_;
};

}  // namespace sparkles
