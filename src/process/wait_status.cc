#include "process/wait_status.h"

#include <sys/wait.h>

#include <iterator>

#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

// The index is the signal number, which is the same on x86-64 and arm64.
constexpr const char* kSignalNames[] = {
    nullptr,
    "hangup",
    "interrupt",
    "quit",
    "illegal instruction",
    "trace/breakpoint trap",
    "aborted",
    "bus error",
    "floating point exception",
    "killed",
    "user defined signal 1",
    "segmentation fault",
    "user defined signal 2",
    "broken pipe",
    "alarm clock",
    "terminated",
    "stack fault",
    "child exited",
    "continued",
    "stopped (signal)",
    "stopped",
    "stopped (tty input)",
    "stopped (tty output)",
    "urgent I/O condition",
    "CPU time limit exceeded",
    "file size limit exceeded",
    "virtual timer expired",
    "profiling timer expired",
    "window changed",
    "I/O possible",
    "power failure",
    "bad system call",
};

std::string SignalName(int signal) {
  if (signal > 0 && signal < static_cast<int>(std::size(kSignalNames))) return kSignalNames[signal];
  return absl::StrCat("signal ", signal);
}

}  // namespace

std::string ReturnCodeText(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    return absl::StrCat("signaled(", SignalName(WTERMSIG(wait_status)), ")");
  }
  return absl::StrCat(WEXITSTATUS(wait_status));
}

std::string ExitCodeText(int wait_status) {
  if (WIFSIGNALED(wait_status)) return absl::StrCat(128 + WTERMSIG(wait_status));
  return absl::StrCat(WEXITSTATUS(wait_status));
}

}  // namespace sparkles
