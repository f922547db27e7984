// Ends what a worker left running that was killed together with its launcher.
// The one hard idea: who belongs to a run is told by a variable of its environment that no other
// run has, and each process is held by a descriptor while it is looked at, so that no signal can
// hit a stranger whose process id was recycled.
#pragma once

#include <string>

#include "absl/time/time.h"

namespace sparkles {

// Kills all processes (of this machine or container) whose environment began with `variable`
// ("NAME=value"), the caller and its own children aside, until none is left or `limit` is over. How
// many were killed. Without /proc, or where another user owns them, they are not found.
int EndLeftovers(const std::string& variable, absl::Duration limit,
                 const std::string& proc_root = "/proc");

}  // namespace sparkles
