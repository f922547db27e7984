#include "process/launcher_process.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/status.h"
#include "process/launcher.h"
#include "process/relaunch.h"

namespace sparkles {

absl::StatusOr<LauncherProcess> ForkLauncher(const std::string& proc_root, bool as_new_program) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return MachineFault(ErrnoError(errno, "launcher: socketpair"));
  }
  LauncherProcess launcher{UniqueFd(ends[0])};
  UniqueFd launcher_end(ends[1]);
  launcher.pid = fork();
  if (launcher.pid < 0) return MachineFault(ErrnoError(errno, "launcher: fork"));
  if (launcher.pid == 0) {
    if (as_new_program) Relaunch(launcher_end.get(), proc_root);
    RunLauncher(std::move(launcher_end), proc_root);
  }
  return launcher;
}

}  // namespace sparkles
