// Runs checks at the same time, each with a time limit that also holds if the check hangs.
// A check can hang in a system call on a dead mount, which no token can interrupt. Then RunChecks
// does not wait for its thread, and the process must end with _exit.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/cancel.h"
#include "doctor/finding.h"

namespace sparkles {

// The default limit of a check.
inline constexpr absl::Duration kCheckLimit = absl::Seconds(5);
// How long a check may clean up after its token was cancelled.
inline constexpr absl::Duration kCleanUpLimit = absl::Seconds(2);

struct Check {
  std::string name;   // for programs, such as "clock"
  std::string thing;  // for findings about a check that does not end or cannot start
  // Adds its findings. Called on a thread of its own. Must return soon after `cancel` is cancelled.
  std::function<void(const CancelToken& cancel, Findings& findings)> run;
  absl::Duration limit = kCheckLimit;
  std::string stuck_remedy = "find out why there is no answer";
};

struct CheckResults {
  std::vector<Finding> findings;  // in the order of the checks
  bool abandoned = false;         // a check still runs: end the process with _exit
};

// Runs all checks at the same time. Returns when each has ended, or its limit and kCleanUpLimit
// have passed. A cancelled `stop` cancels all checks.
CheckResults RunChecks(std::vector<Check> checks, const CancelToken& stop);

}  // namespace sparkles
