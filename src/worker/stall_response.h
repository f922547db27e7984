// What a stuck worker still does: tell why, give its task back, and end.
// The one hard idea: any lock may be held by whoever is stuck, the log's too. So this writes past
// the log's lock, and an alarm ends the process should even this get stuck.
#pragma once

#include <functional>
#include <optional>

#include "absl/time/time.h"
#include "base/log.h"
#include "queue/queue.h"
#include "worker/timed_hand_back.h"
#include "worker/watchdog.h"

namespace sparkles {

// How long the hand-back of a stuck worker's claim may take.
inline constexpr absl::Duration kStuckHandBack = absl::Seconds(5);

// The actions for a watchdog with that period. Borrows all. `held` is the claim at the moment;
// `hand_back` is null if a claim ends with its worker. Giving up ends the process with
// kExitStuck.
WatchdogActions RespondToStalls(absl::Duration period, std::function<std::optional<Claim>()> held,
                                TimedHandBack* hand_back, LogSink& sink);

}  // namespace sparkles
