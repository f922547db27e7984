#include "process/leftovers.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/proc.h"
#include "process/monotonic.h"
#include "process/process_handle.h"

namespace sparkles {
namespace {

bool IsOwnChild(pid_t pid, const std::string& proc_root) {
  const std::string status = ReadProcFile(absl::StrCat(proc_root, "/", pid, "/status"));
  return absl::StrContains(status, absl::StrCat("\nPPid:\t", getpid(), "\n"));
}

bool HasVariable(pid_t pid, const std::string& variable, const std::string& proc_root) {
  const std::string text = ReadProcFile(absl::StrCat(proc_root, "/", pid, "/environ"));
  for (const absl::string_view each : absl::StrSplit(text, '\0')) {
    if (each == variable) return true;
  }
  return false;
}

bool SignalIfMatching(pid_t pid, const std::string& variable, const std::string& proc_root,
                      int number) {
  const ProcessHandle process(pid);
  return process.found() && HasVariable(pid, variable, proc_root) && !IsOwnChild(pid, proc_root) &&
         process.Signal(number);
}

// Signals all processes that have the variable, and adds them to `signalled`. True if at least one
// was new there.
bool SignalMatching(const std::string& variable, const std::string& proc_root, int number,
                    std::set<pid_t>& signalled) {
  bool any_new = false;
  ForEachNumber(proc_root, [&](pid_t pid) {
    if (pid == getpid() || !SignalIfMatching(pid, variable, proc_root, number)) return;
    any_new |= signalled.insert(pid).second;
  });
  return any_new;
}

}  // namespace

Leftovers EndLeftovers(const std::string& variable, absl::Duration limit,
                       const std::string& proc_root) {
  const absl::Duration deadline = MonotonicNow() + limit;
  Leftovers leftovers;
  std::set<pid_t> killed;
  while (true) {
    // Stops all before it kills any, as in sweep.cc. Each pass stops the processes that were forked
    // during the last one.
    std::set<pid_t> stopped;
    while (SignalMatching(variable, proc_root, SIGSTOP, stopped) && MonotonicNow() < deadline) {
    }
    std::set<pid_t> alive;
    SignalMatching(variable, proc_root, SIGKILL, alive);
    killed.insert(alive.begin(), alive.end());
    leftovers.any_alive = !alive.empty();
    if (alive.empty() || MonotonicNow() >= deadline) break;
    // A dying process shows no environment. Wait until all are dead, and look for new children.
    (void)poll(nullptr, 0, 10);
  }
  leftovers.killed = static_cast<int>(killed.size());
  return leftovers;
}

}  // namespace sparkles
