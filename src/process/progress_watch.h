// Notices that a command makes no progress: its processes use no CPU, do no I/O and print nothing.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "process/process_tree.h"
#include "process/silence.h"

namespace sparkles {

// A number that changes with any progress of the descendants of `root`: a process starts or ends,
// has a page fault, uses CPU, or reads or writes (/proc/PID/io). I/O through mmap and io_uring
// shows as page faults and CPU. `unrelated` is as for FindDescendants. nullopt if `proc_root`
// cannot be read.
//
// Not visible: I/O without CPU of the process itself, such as one long fsync, work of a GPU, of a
// daemon or of another machine; CPU and I/O of another user's processes if /proc hides them.
std::optional<uint64_t> ProgressMark(const std::string& proc_root, pid_t root,
                                     UnrelatedPids& unrelated);

// Watches one command. Not thread-safe.
class ProgressWatch {
 public:
  // Watches the descendants of `root`, and the size of the file `output_fd` (borrowed). With an
  // infinite timeout, does nothing.
  ProgressWatch(std::string proc_root, pid_t root, int output_fd, absl::Duration timeout);

  // The time until the next look is due. Infinite if the watch is off.
  absl::Duration UntilNextLook() const;

  // Looks, if a look is due. True if there was no progress for the timeout. If /proc does not show
  // the processes, appends a line about that to the output, once, and switches the watch off.
  bool SeesNoProgress();

  // Appends to the output where the processes wait. Call this before they get a signal.
  void ReportWaits() const;

 private:
  std::optional<uint64_t> Look();

  const std::string proc_root_;
  const pid_t root_;
  const int output_fd_;
  const absl::Duration timeout_;
  bool on_;
  Silence silence_;
  UnrelatedPids unrelated_;
  int looks_ = 0;
  absl::Duration next_look_;  // on the boot clock
};

}  // namespace sparkles
