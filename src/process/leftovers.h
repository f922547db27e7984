// Ends the processes that remain after a worker and its launcher were both killed.
// A variable in their environment, unique to that run, identifies the processes.
#pragma once

#include <string>

#include "absl/time/time.h"

namespace sparkles {

struct Leftovers {
  int killed = 0;
  bool any_alive = false;  // some processes still live at the end of the time limit
};

// Kills all processes (of this machine or container) that were started with `variable`
// ("NAME=value") in their environment, except the caller and its own children. Returns when none is
// left or `limit` has passed. Does not find processes of other users. Needs /proc.
Leftovers EndLeftovers(const std::string& variable, absl::Duration limit,
                       const std::string& proc_root = "/proc");

}  // namespace sparkles
