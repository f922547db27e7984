// The faults of a simulated cluster.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace sparkles {

enum class Fault {
  // Requests.
  kRefused,     // not received by the server
  kLost,        // no answer, and not executed
  kAnswerLost,  // no answer, but executed
  kLate,        // no answer, and executed much later
  kTwice,       // executed twice; the second answer arrives
  kStatus,      // 429 or 5xx, executed or not
  kForbidden,   // 403
  kContention,  // 409 without a visible reason
  kGarbage,     // a page of another server
  kDelay,       // the answer is slow, or slower than the worker's timeout
  kCut,         // a download ends early, or only a part of an upload arrives
  kFlip,        // a download has a wrong byte, or a wrong byte is stored
  kSession,     // the upload session does not exist any more
  kNotListed,   // a query leaves out an entity
  kOutage,      // one service does not answer this machine for a while
  // Machines.
  kCrash,    // kill -9
  kVanish,   // the machine never comes back
  kPause,    // SIGSTOP, or a frozen machine
  kTerm,     // SIGTERM, SIGINT, or a preemption notice
  kHurry,    // a second signal
  kDrain,    // SIGUSR1, SIGQUIT
  kMachine,  // the machine cannot start processes
  // Clients.
  kReset,     // a claimed task is reset
  kKillJob,   // a job is killed
  kRecreate,  // a job is deleted and created again with the same id
  kKillTask,  // a task is set to killed
  kRepeat,    // a task that has ended is reset
  kDelete,    // a task is deleted and stays deleted
  kCount,
};
absl::string_view NameOf(Fault fault);
using FaultCounts = std::array<int64_t, static_cast<size_t>(Fault::kCount)>;

}  // namespace sparkles
