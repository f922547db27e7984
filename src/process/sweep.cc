#include "process/sweep.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/proc.h"
#include "process/monotonic.h"
#include "process/process_handle.h"
#include "process/process_tree.h"
#include "process/resource_usage.h"

namespace sparkles {
namespace {

// Most leftovers die within this time. Freezing is more expensive, because it reads all of /proc
// several times.
constexpr absl::Duration kFreezeDelay = absl::Milliseconds(100);
// More passes would not help: the remaining processes fork faster than they can be stopped.
constexpr int kMaxFreezingPasses = 30;
// The largest process id of any Linux is one less (PID_MAX_LIMIT).
constexpr pid_t kMaxPid = 1 << 22;

// waitid accepts only children of this process. Therefore the answer is right even if `proc_root`
// shows the ids of another namespace.
bool IsLivingChild(pid_t pid) {
  siginfo_t info{};
  const int flags = WEXITED | WNOHANG | WNOWAIT;
  return waitid(P_PID, static_cast<id_t>(pid), &info, flags) == 0 && info.si_pid == 0;
}

// With WSTOPPED alone, waitid ignores dead children, and fails with ECHILD if no child lives.
bool AnyLives(idtype_t type, id_t id) {
  siginfo_t info{};
  return waitid(type, id, &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

void KillLivingChildren(const std::string& proc_root, pid_t spared) {
  const auto kill_if_child = [spared](pid_t pid) {
    if (pid != spared && IsLivingChild(pid)) kill(pid, SIGKILL);
  };
  if (ForEachNumber(proc_root, kill_if_child)) return;
  // Trying all ids takes about a second.
  for (pid_t pid = 1; pid < kMaxPid; ++pid) {
    if (pid % 4096 == 0 && !HasLiveChild()) return;
    kill_if_child(pid);
  }
}

// True if `pid` was a child of `parent`, which is this process or a stopped descendant. A stopped
// process forks no children, so a process with a reused id is not a child of `parent`.
bool SignalChild(const std::string& proc_root, pid_t parent, pid_t pid, int number) {
  if (parent != getpid()) {
    const ProcessHandle process(pid);
    const auto entry = ReadProcess(proc_root, pid);
    if (!process.found() || !entry || entry->zombie) return false;
    if (entry->parent == parent) {
      process.Signal(number);
      return true;
    }
  }
  // If its parent has died, the process is now a child of this process.
  if (!IsLivingChild(pid)) return false;
  kill(pid, number);
  return true;
}

// Sends the signal `number` to all descendants of this process, parents first, except to `spared`
// and the processes below it. Adds them to `seen` and returns how many were new there.
int SignalTree(const std::string& proc_root, int number, pid_t spared,
               std::unordered_set<pid_t>& seen) {
  std::unordered_map<pid_t, std::vector<pid_t>> children;
  ForEachNumber(proc_root, [&](pid_t pid) {
    if (const auto entry = ReadProcess(proc_root, pid)) children[entry->parent].push_back(pid);
  });
  int new_pids = 0;
  std::vector<pid_t> parents = {getpid()};
  for (size_t i = 0; i < parents.size(); ++i) {
    const pid_t parent = parents[i];
    for (const pid_t pid : children[parent]) {
      if (pid == spared || !SignalChild(proc_root, parent, pid, number)) continue;
      parents.push_back(pid);
      if (seen.insert(pid).second) ++new_pids;
    }
  }
  return new_pids;
}

// At a limit on processes, each killed process makes room for a new one. Stopped processes keep
// their room until all of them are killed.
void FreezeAndKill(const std::string& proc_root, absl::Duration deadline, pid_t spared) {
  std::unordered_set<pid_t> seen;
  for (int pass = 0; pass < kMaxFreezingPasses && MonotonicNow() < deadline; ++pass) {
    if (SignalTree(proc_root, SIGSTOP, spared, seen) == 0) break;
  }
  SignalTree(proc_root, SIGKILL, spared, seen);
}

}  // namespace

bool HasLiveChild() { return AnyLives(P_ALL, 0); }

bool HasOtherLiveChild(const std::string& proc_root, pid_t spared) {
  if (!HasLiveChild()) return false;
  if (spared == 0 || !IsLivingChild(spared)) return true;
  bool found = false;
  const auto check = [&](pid_t pid) { found = found || (pid != spared && IsLivingChild(pid)); };
  if (ForEachNumber(proc_root, check)) return found;
  for (pid_t pid = 1; pid < kMaxPid && !found; ++pid) check(pid);
  return found;
}

bool HasLiveChildIn(pid_t group) { return AnyLives(P_PGID, static_cast<id_t>(group)); }

ReapedProcesses SweepChildren(const std::string& proc_root, absl::Duration limit, pid_t spared) {
  ReapedProcesses reaped;
  const absl::Duration start = MonotonicNow();
  const absl::Duration deadline = start + limit;
  const bool can_freeze = ShowsOwnIds(proc_root);
  bool tried = false;  // makes at least one attempt, even if the deadline has already passed
  while (true) {
    int status = 0;
    rusage usage;
    const pid_t pid = wait4(-1, &status, WNOHANG, &usage);
    if (pid < 0) return reaped;  // ECHILD
    if (pid == 0 && spared != 0 && !HasOtherLiveChild(proc_root, spared)) return reaped;
    if (pid > 0) {
      Add(ResourceUsageOf(usage), reaped.usage);
      if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ++reaped.killed;
    }
    const absl::Duration now = MonotonicNow();
    const bool late = now >= deadline;
    if (late && tried) return reaped;
    if (pid > 0 && !late) continue;
    tried = true;
    KillLivingChildren(proc_root, spared);
    if (can_freeze && now >= start + kFreezeDelay) FreezeAndKill(proc_root, deadline, spared);
    (void)poll(nullptr, 0, 1);  // gives the processes a millisecond to die
  }
}

}  // namespace sparkles
