// What became of a claimed task.
#pragma once

#include <memory>
#include <string>

#include "task/task.h"

namespace sparkles {

struct Outcome {
  enum class Kind {
    kComplete,   // the command ran and everything is delivered
    kFailed,     // we could not run it or could not deliver
    kKilled,     // its job was killed
    kHandBack,   // the worker goes, or this machine cannot do it: back to the queue
    kClaimLost,  // somebody else owns it now: record nothing
  };
  Kind kind = Kind::kFailed;
  std::string exit_code;       // kComplete: decimal; 128+n for signal n
  std::string failure_reason;  // why, for all but kComplete
  bool machine_fault = false;  // kHandBack: because of this machine
  bool abandoned = false;      // kHandBack: counts against the task like an abandoned claim
  // kFailed: the missing permission, for example "write to gs://bucket"; empty: none.
  std::string lacks_permission;
  // The last copy removes the task's folder, which can take long: keep one until the end is
  // recorded.
  std::shared_ptr<void> directory = nullptr;
};

}  // namespace sparkles
