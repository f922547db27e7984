// What can go wrong in a simulated cluster.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace sparkles {

enum class Fault {
  // Requests.
  kRefused,     // the server never had it
  kLost,        // no answer; the request was not carried out
  kAnswerLost,  // no answer; the request was carried out
  kLate,        // no answer; the request is carried out much later
  kTwice,       // carried out twice; the second answer comes
  kStatus,      // 429 or 5xx, carried out or not
  kForbidden,   // 403
  kContention,  // 409 for no visible reason
  kGarbage,     // a page of somebody who is not the server
  kDelay,       // the answer takes its time, or more than we wait
  kCut,         // a download ends early, or of an upload a part arrives
  kFlip,        // a download has a wrong byte, or one is stored
  kSession,     // an upload session has ended
  kNotListed,   // a query does not find what is there
  kOutage,      // for a while one service answers this machine nothing
  // Machines.
  kCrash,    // kill -9
  kVanish,   // the machine is gone for good
  kPause,    // SIGSTOP, or a frozen machine
  kTerm,     // SIGTERM, SIGINT, a notice of preemption
  kHurry,    // a second signal
  kDrain,    // SIGUSR1, SIGQUIT
  kMachine,  // no process can be started
  // Clients.
  kReset,     // a claimed task is reset
  kKillJob,   // a job is killed
  kRecreate,  // a job is deleted and made again under the same id
  kKillTask,  // a task is set to killed
  kRepeat,    // an ended task is reset
  kDelete,    // a task is deleted for good
  kCount,
};
absl::string_view NameOf(Fault fault);
using FaultCounts = std::array<int64_t, static_cast<size_t>(Fault::kCount)>;

}  // namespace sparkles
