// Ends a worker that must stop while its main thread hangs, for example on a dead mount.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "base/log.h"
#include "queue/queue.h"
#include "worker/timed_hand_back.h"

namespace sparkles {

// Hands `claim` back, logs the stacks of all threads, and ends the process with `exit_code`. Also
// ends the process if the queue has not answered within `limit`. Returns only if the claim is lost.
void EndHungStop(TimedHandBack& hand_back, const Claim& claim, const std::string& reason,
                 absl::Duration limit, LogSink& sink, int exit_code);

}  // namespace sparkles
