// Tells refusals that last from refusals that pass.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "absl/time/time.h"

namespace sparkles {

// Counts for how long the server has refused to end a claim, by the task's id and the claim's time.
// Used by one thread.
class Refusals {
 public:
  // A refusal that lasts five minutes is final: the time that the consumer gives to an end of its
  // own (worker/consumer.cc).
  static constexpr absl::Duration kFinalAfter = absl::Minutes(5);
  // The time between two refusals counts as one minute at most: a jump of the clock, or a long
  // pause without a request, proves nothing.
  static constexpr absl::Duration kMaxStep = absl::Minutes(1);

  // Counts a refusal. True if it is final.
  bool Add(const std::string& task_id, absl::Time claimed_at, absl::Time now);
  // The claim is over.
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
