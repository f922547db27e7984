// Divides the time of a stop (--stopWithin) among its steps.
#pragma once

#include <algorithm>

#include "absl/time/time.h"

namespace sparkles {

// The default of --stopWithin: docs/wire-entities.md.
inline constexpr absl::Duration kStopWithin = absl::Seconds(20);

struct StopTime {
  absl::Duration within = kStopWithin;  // from the request to the end of the process

  // Google ends a preempted VM after 30 s, even if --stopWithin is longer.
  StopTime OnPreemption() const { return {std::min(within, kStopWithin)}; }

  // Counted from the request.
  absl::Duration hurry() const { return within * 0.5; }      // the command gets KILL
  absl::Duration hand_back() const { return within * 0.8; }  // another thread hands the task back
  absl::Duration end() const { return within * 0.95; }       // the process ends

  // Limits of single steps. At 0.75 the wait for a command that survives KILL, the sweep of its
  // leftovers, and the upload of the log of a command that KILL ended are over.
  absl::Duration kill_limit() const { return within * 0.2; }
  absl::Duration sweep_limit() const { return within * 0.05; }
  absl::Duration log_limit() const { return within * 0.2; }
  // Counted from the time when the command gets KILL: the end of the files of the last save of a
  // checkpoint, and of the whole save. They hold for a preempted VM, too. After such a save the log
  // has late_log_limit().
  absl::Duration save_files_limit() const { return OnPreemption().within * 0.08; }
  absl::Duration save_limit() const { return OnPreemption().within * 0.15; }
  absl::Duration late_log_limit() const { return within * 0.1; }
  // Limits of a request to the queue: of one in flight when the stop comes, and of each later one.
  // A hand-back takes two of the later ones.
  absl::Duration flight_limit() const { return within * 0.2; }
  absl::Duration request_limit() const { return within * 0.35; }
  // Limit for recording the end of a task while the worker has nothing else to do.
  absl::Duration record_limit() const { return within * 0.85; }
};

}  // namespace sparkles
