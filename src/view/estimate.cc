#include "view/estimate.h"

#include <algorithm>

namespace sparkles {

std::optional<absl::Duration> EstimateTimeLeft(const RunPace& pace) {
  if (pace.ended == 0 || (pace.waiting == 0 && pace.running.empty())) return std::nullopt;
  const absl::Duration mean = pace.time_of_ended / static_cast<int64_t>(pace.ended);
  absl::Duration work = mean * static_cast<int64_t>(pace.waiting);
  absl::Duration longest;
  for (const absl::Duration age : pace.running) {
    // A task that is slower than the others may run much longer.
    const absl::Duration rest = std::max(mean - age, age / 4);
    work += rest;
    longest = std::max(longest, rest);
  }
  // The mean number of tasks that ran at a time. Less than 1 if workers had to wait.
  const double parallel = absl::FDivDuration(pace.time_worked, pace.elapsed);
  if (!(parallel > 0)) return std::nullopt;
  return std::max(work / parallel, longest);
}

}  // namespace sparkles
