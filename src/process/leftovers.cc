#include "process/leftovers.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/fd.h"
#include "base/file.h"
#include "process/monotonic.h"

namespace sparkles {
namespace {

// Since Linux 5.3 and 5.1; the same numbers on every architecture.
constexpr long kPidfdOpen = 434;
constexpr long kPidfdSendSignal = 424;
// Linux takes a few MiB at most.
constexpr size_t kMaxEnvironment = size_t{8} << 20;

bool IsChildOfOurs(pid_t pid, const std::string& proc_root) {
  const auto status = ReadFile(absl::StrCat(proc_root, "/", pid, "/status"), size_t{64} << 10);
  return status.ok() && absl::StrContains(*status, absl::StrCat("\nPPid:\t", getpid(), "\n"));
}

bool HasVariable(pid_t pid, const std::string& variable, const std::string& proc_root) {
  const auto text = ReadFile(absl::StrCat(proc_root, "/", pid, "/environ"), kMaxEnvironment);
  if (!text.ok()) return false;
  for (const absl::string_view each : absl::StrSplit(*text, '\0')) {
    if (each == variable) return true;
  }
  return false;
}

bool KillIfItHas(pid_t pid, const std::string& variable, const std::string& proc_root) {
  const UniqueFd process(static_cast<int>(syscall(kPidfdOpen, pid, 0)));
  // Any other error: an older kernel (ENOSYS) or a sandbox (often EPERM) without that call.
  if (!process.valid() && errno == ESRCH) return false;
  if (!HasVariable(pid, variable, proc_root) || IsChildOfOurs(pid, proc_root)) return false;
  if (process.valid()) {
    if (syscall(kPidfdSendSignal, process.get(), SIGKILL, nullptr, 0) == 0) return true;
    if (errno == ESRCH) return false;
  }
  return kill(pid, SIGKILL) == 0;
}

}  // namespace

int EndLeftovers(const std::string& variable, absl::Duration limit, const std::string& proc_root) {
  const absl::Duration deadline = MonotonicNow() + limit;
  std::set<pid_t> killed;
  while (true) {
    DIR* const folder = opendir(proc_root.c_str());
    if (folder == nullptr) break;
    bool any = false;
    while (const dirent* entry = readdir(folder)) {  // NOLINT(concurrency-mt-unsafe): own stream
      pid_t pid = 0;
      if (!absl::SimpleAtoi(entry->d_name, &pid) || pid <= 0 || pid == getpid()) continue;
      if (!KillIfItHas(pid, variable, proc_root)) continue;
      any = true;
      killed.insert(pid);
    }
    closedir(folder);
    if (!any || MonotonicNow() >= deadline) break;
    // One that dies has no environment any more; its children may be new.
    (void)poll(nullptr, 0, 10);
  }
  return static_cast<int>(killed.size());
}

}  // namespace sparkles
