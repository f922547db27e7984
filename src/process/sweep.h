// Ends what a command left behind, without a signal to a stranger whose process id was recycled: a
// child that has not been waited for keeps its id, and others are held by a descriptor. When a
// child dies its children become ours, since we are a subreaper.
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
// become its children meanwhile. Gives up after `limit`, but not before it has tried once; ask
// AnyChildLives then: a process in an uninterruptible wait or of another user survives. Processes
// that fork without end are stopped, all of them, before they are killed. Children are found in
// `proc_root`; without it all numbers are tried, which takes a second.
Swept SweepChildren(const std::string& proc_root, absl::Duration limit);

}  // namespace sparkles
