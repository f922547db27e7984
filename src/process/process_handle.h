// Holds one process by a descriptor, so that no signal reaches another process with a reused id.
#pragma once

#include <sys/types.h>

#include "base/fd.h"

namespace sparkles {

class ProcessHandle {
 public:
  explicit ProcessHandle(pid_t pid);

  // False if there was no such process. If Signal succeeds, everything that was read from
  // /proc/PID after construction is about this process.
  bool found() const { return found_; }
  // False if the process has ended or belongs to another user. Uses the process id on kernels
  // before 5.3 and in sandboxes that refuse such descriptors.
  bool Signal(int number) const;

 private:
  const pid_t pid_;
  UniqueFd fd_;
  bool found_;
};

}  // namespace sparkles
