// The ends of claims that could not be recorded when their task ended. The worker tries them again
// when it has nothing else to do.
#pragma once

#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "base/log.h"
#include "queue/queue.h"
#include "queue/refusals.h"

namespace sparkles {

// Used by one thread.
class UnrecordedEnds {
 public:
  // Borrows `clock`.
  UnrecordedEnds(Clock& clock, Log log) : clock_(clock), log_(std::move(log)) {}

  void Add(const Claim& claim, const Outcome& outcome);

  // Tries each end once more with `end`, which records one end as Queue::Finish does, and adds
  // those that were recorded to `recorded`. An end that the server refuses becomes a hand-back:
  // after five minutes of refusals, or at once if `is_last_try`. The last try stops at an outage.
  // An error: some ends may still be recorded later.
  absl::Status Record(
      bool is_last_try,
      absl::FunctionRef<absl::Status(const Claim& claim, const Outcome& outcome)> end,
      std::vector<RecordedEnd>& recorded);

 private:
  Clock& clock_;
  const Log log_;
  Refusals refusals_;
  std::vector<std::pair<Claim, Outcome>> ends_;
};

}  // namespace sparkles
