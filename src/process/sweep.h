// Ends the leftovers of a command.
// No signal reaches an unrelated process with a reused id: a child keeps its id until it is reaped,
// and a descriptor holds each deeper descendant. When a child dies, this process adopts its
// children, because it is a subreaper.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/time/time.h"
#include "base/usage.h"

namespace sparkles {

struct ReapedProcesses {
  int killed = 0;       // processes that died of KILL
  ResourceUsage usage;  // of all reaped processes
};

// True if the calling process has a living child. If the caller is a subreaper and has no living
// child, it has no living descendant. Does not reap.
bool HasLiveChild();

// True if the calling process has a living child besides `spared`; 0 spares none. Finds children in
// `proc_root`, and without it tries all ids.
bool HasOtherLiveChild(const std::string& proc_root, pid_t spared);

// True if the calling process has a living child in the process group `group`. Other members of the
// group may live below a process that has left the group. Does not reap.
bool HasLiveChildIn(pid_t group);

// Kills and reaps all descendants of the calling process, which must be a subreaper. Tries at least
// once and returns after `limit` at the latest. Then HasLiveChild tells whether a process has
// survived: one in an uninterruptible wait, or one of another user. If processes fork without end,
// all are stopped before any is killed. Finds children in `proc_root`. Without it, tries all ids,
// which takes a second. `spared` is a child that lives on, with all processes below it; 0 spares
// none.
ReapedProcesses SweepChildren(const std::string& proc_root, absl::Duration limit, pid_t spared = 0);

}  // namespace sparkles
