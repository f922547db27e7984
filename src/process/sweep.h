// Ends whatever a command left behind. The one hard idea: no signal may hit a stranger whose
// process id was recycled. A child that nobody has waited for keeps its id, so only own children
// are ever signalled; when a child dies its children become ours (we are a subreaper), and so
// on, until nobody is left.
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
// become its children meanwhile. Gives up after `limit`, but not before it has tried once: a
// process in an uninterruptible wait or owned by another user may survive, and so may those who
// fork faster than they can be killed. Children are found in `proc_root`; without it only those are
// reaped that end by themselves.
Swept SweepChildren(const std::string& proc_root, absl::Duration limit);

}  // namespace sparkles
