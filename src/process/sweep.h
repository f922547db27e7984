// Ends the processes that a command left behind. No signal reaches another process with a reused
// id: a child keeps its id until it is waited for, and a descriptor holds each other process. When
// a child dies, its children become ours, since this process is a subreaper.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/time/time.h"
#include "base/usage.h"

namespace sparkles {

struct Swept {
  int killed = 0;       // processes that died of our signal
  ResourceUsage usage;  // of all processes that were waited for
};

// True if the calling process has a child that has not ended. If not, then nothing lives that any
// of its children has started either (given that the caller is a subreaper). Never reaps.
bool AnyChildLives();

// The same for children in the process group `group`. If its leader is dead, then nobody lives in
// it either, but below a process that has left it.
bool AnyChildLivesIn(pid_t group);

// Kills and reaps all children of the calling process, which must be a subreaper, and all that
// become its children meanwhile. Tries at least once and gives up after `limit`. Ask AnyChildLives
// then: a process in an uninterruptible wait or of another user survives. If processes fork without
// end, all are stopped before any is killed. Finds children in `proc_root`; without it tries all
// ids, which takes a second.
Swept SweepChildren(const std::string& proc_root, absl::Duration limit);

}  // namespace sparkles
