// Forks a launcher (launcher.h) and holds the worker's end of its socket.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "base/fd.h"

namespace sparkles {

struct LauncherProcess {
  UniqueFd socket;  // for the frames of launcher_protocol.h; the launcher ends when it is closed
  pid_t pid = 0;    // a child of the calling process
};

// With `as_new_program` the launcher executes this program again, if that is possible
// (relaunch.h). The caller reaps the launcher. An error is a machine fault.
absl::StatusOr<LauncherProcess> ForkLauncher(const std::string& proc_root, bool as_new_program);

}  // namespace sparkles
