#include "process/process_handle.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace sparkles {
namespace {

// System calls since Linux 5.3 and 5.1, with the same numbers on every architecture.
constexpr long kPidfdOpen = 434;
constexpr long kPidfdSendSignal = 424;

}  // namespace

ProcessHandle::ProcessHandle(pid_t pid)
    : pid_(pid), fd_(static_cast<int>(syscall(kPidfdOpen, pid, 0))) {
  // Any other error means that an older kernel (ENOSYS) or a sandbox (often EPERM) lacks the call.
  found_ = fd_.valid() || errno != ESRCH;
}

bool ProcessHandle::Signal(int number) const {
  if (fd_.valid()) {
    if (syscall(kPidfdSendSignal, fd_.get(), number, nullptr, 0) == 0) return true;
    if (errno == ESRCH) return false;
  }
  return kill(pid_, number) == 0;
}

}  // namespace sparkles
