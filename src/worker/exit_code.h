// What the exit code of the process means. docs/operations.md and --help show this table.
#pragma once

namespace sparkles {

enum ExitCode : int {
  kExitDone = 0,
  kExitFailed = 1,
  kExitUsage = 2,
  kExitVersion = 3,
  kExitTasksFile = 4,
  kExitMachineUnfit = 5,
  kExitStuck = 6,
  kExitPreempted = 75,  // "try again" of sysexits.h
  // And 128 + the signal that stopped the worker (worker/signals.h): 130, 143 ...
};

}  // namespace sparkles
