// The actions of the watchdog of a stuck worker: log the stacks, hand the task back, and exit.
// A stuck thread may hold any lock, including that of the log. Therefore the actions write without
// the log's lock, and the exit timer ends the process if an action hangs.
#pragma once

#include <functional>
#include <optional>

#include "absl/time/time.h"
#include "base/log.h"
#include "queue/queue.h"
#include "worker/timed_hand_back.h"
#include "worker/watchdog.h"

namespace sparkles {

// Limit for the hand-back of a stuck worker's claim.
inline constexpr absl::Duration kStuckHandBack = absl::Seconds(5);

// The actions for a watchdog with this period. Borrows `hand_back` and `sink`. `held` returns the
// current claim. `hand_back` is null if a claim ends with its worker. on_stuck ends the process
// with kExitStuck.
WatchdogActions RespondToStalls(absl::Duration period, std::function<std::optional<Claim>()> held,
                                TimedHandBack* hand_back, LogSink& sink);

}  // namespace sparkles
