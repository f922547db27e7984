#include "process/sweep.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/numbers.h"
#include "process/monotonic.h"
#include "process/resource_usage.h"

namespace sparkles {
namespace {

// Without /proc: how long those who were killed with their group are waited for.
constexpr absl::Duration kBlindLimit = absl::Milliseconds(200);

// waitid knows only our own children, so it tells a child from a stranger without parsing anything,
// and it is right even if `proc_root` shows the ids of another namespace.
bool IsLivingChild(pid_t pid) {
  siginfo_t info{};
  const int flags = WEXITED | WNOHANG | WNOWAIT;
  return waitid(P_PID, static_cast<id_t>(pid), &info, flags) == 0 && info.si_pid == 0;
}

// Asked for stopped children only, waitid lets the dead pass: ECHILD says that nobody is alive.
bool AnyLives(idtype_t type, id_t id) {
  siginfo_t info{};
  return waitid(type, id, &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

// False if `proc_root` cannot be read.
bool KillLivingChildren(const std::string& proc_root) {
  DIR* const folder = opendir(proc_root.c_str());
  if (folder == nullptr) return false;
  bool any_process = false;
  while (const dirent* entry = readdir(folder)) {  // NOLINT(concurrency-mt-unsafe): own stream
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry->d_name, &pid) || pid <= 0) continue;
    any_process = true;
    if (IsLivingChild(pid)) kill(pid, SIGKILL);
  }
  closedir(folder);
  return any_process;
}

}  // namespace

bool AnyChildLives() { return AnyLives(P_ALL, 0); }

bool AnyChildLivesIn(pid_t group) { return AnyLives(P_PGID, static_cast<id_t>(group)); }

Swept SweepChildren(const std::string& proc_root, absl::Duration limit) {
  Swept swept;
  absl::Duration deadline = MonotonicNow() + limit;
  bool blind = false;
  bool tried = false;  // whoever was off until the deadline has not killed anybody yet
  while (true) {
    int status = 0;
    rusage usage;
    const pid_t pid = wait4(-1, &status, WNOHANG, &usage);
    if (pid < 0) return swept;  // ECHILD
    if (pid > 0) {
      Add(ResourceUsageOf(usage), swept.usage);
      if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ++swept.killed;
    }
    const bool late = MonotonicNow() >= deadline;
    if (late && tried) return swept;
    if (pid > 0 && !late) continue;
    tried = true;
    if (!blind && !KillLivingChildren(proc_root)) {
      blind = true;
      deadline = std::min(deadline, MonotonicNow() + kBlindLimit);
    }
    (void)poll(nullptr, 0, 1);  // a millisecond for them to die
  }
}

}  // namespace sparkles
