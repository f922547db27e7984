// How the time that a stop of the worker may take is divided among what has to be done in it.
#pragma once

#include "absl/time/time.h"

namespace sparkles {

// Of a stop without --stopWithin: contract.md section 3.
inline constexpr absl::Duration kStopWithin = absl::Seconds(20);

struct StopTime {
  absl::Duration within = kStopWithin;  // from the request to the end of the process

  // Counted from the request.
  absl::Duration hurry() const { return within * 0.5; }      // the command gets KILL
  absl::Duration hand_back() const { return within * 0.8; }  // another thread hands the task back
  absl::Duration end() const { return within * 0.95; }       // the process ends

  // Limits of what is done in between. A command that KILL does not end, and the sweep of what it
  // left, are over at 0.75; so is the log of one that KILL ends.
  absl::Duration kill_limit() const { return within * 0.2; }
  absl::Duration sweep_limit() const { return within * 0.05; }
  absl::Duration log_limit() const { return within * 0.2; }
  // Of a request to the queue: one in flight when the stop comes, and each later one. Two of the
  // latter hand a task back.
  absl::Duration flight_limit() const { return within * 0.2; }
  absl::Duration request_limit() const { return within * 0.35; }
  // Of an end of a task that is recorded while the worker has nothing else to do.
  absl::Duration record_limit() const { return within * 0.85; }
};

}  // namespace sparkles
