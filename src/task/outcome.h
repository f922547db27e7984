// How the run of a claimed task ended.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/cancel.h"
#include "task/task.h"

namespace sparkles {

struct Outcome {
  enum class Kind {
    kComplete,   // the command ran, and all outputs are delivered
    kFailed,     // the command could not run, or an output could not be delivered
    kKilled,     // the job was killed
    kHandBack,   // a stop or a machine fault: the task becomes pending again
    kClaimLost,  // the claim is lost: nothing may be recorded
  };
  Kind kind = Kind::kFailed;
  std::string exit_code;       // kComplete: decimal; 128+n for signal n
  std::string failure_reason;  // the reason of each end except kComplete
  bool machine_fault = false;  // kHandBack: because of a machine fault
  bool abandoned = false;      // kHandBack: counts as an abandoned claim
  // kFailed: the missing permission, for example "write to gs://bucket", or empty.
  std::string lacks_permission;
  // Owns the task directory. Destroying the last copy removes the directory, which can take long.
  // Keep a copy until the end is recorded.
  std::shared_ptr<void> directory = nullptr;
  // May be empty. Call it after a final status is recorded: removes what only the next attempt
  // would have needed. Takes a few seconds at most, and ends when `stop` is cancelled.
  std::function<void(const CancelToken& stop)> when_ended = nullptr;
};

}  // namespace sparkles
