// Ends what a worker left running that was killed together with its launcher.
// Its processes are those with a variable in their environment that no other run has.
#pragma once

#include <string>

#include "absl/time/time.h"

namespace sparkles {

struct Leftovers {
  int killed = 0;
  bool any_lives = false;  // at the end of the time limit
};

// Kills all processes (of this machine or container) whose environment began with `variable`
// ("NAME=value"), except the caller and its own children, until none is left or `limit` is over.
// Does not find processes of another user, and none without /proc.
Leftovers EndLeftovers(const std::string& variable, absl::Duration limit,
                       const std::string& proc_root = "/proc");

}  // namespace sparkles
