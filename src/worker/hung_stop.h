// The end of a worker that is asked to stop while its main thread hangs, on a dead mount for one.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "base/log.h"
#include "queue/queue.h"
#include "worker/timed_hand_back.h"

namespace sparkles {

// Hands `claim` back, says what the threads are doing, and ends the process with `exit_code`; also
// if `limit` has passed without an answer of the queue. Returns if the claim is not ours any more.
void EndHungStop(TimedHandBack& hand_back, const Claim& claim, const std::string& reason,
                 absl::Duration limit, LogSink& sink, int exit_code);

}  // namespace sparkles
