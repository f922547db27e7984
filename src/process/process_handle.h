// One process, held by a descriptor: no signal can hit a stranger whose process id was recycled.
#pragma once

#include <sys/types.h>

#include "base/fd.h"

namespace sparkles {

class ProcessHandle {
 public:
  explicit ProcessHandle(pid_t pid);

  // False if there was no such process. What is read of the process in /proc afterwards is of this
  // one if Signal succeeds then.
  bool found() const { return found_; }
  // False if the process has ended, or belongs to another user. By process id on kernels before
  // 5.3 and in sandboxes that refuse such descriptors.
  bool Signal(int number) const;

 private:
  const pid_t pid_;
  UniqueFd fd_;
  bool found_;
};

}  // namespace sparkles
