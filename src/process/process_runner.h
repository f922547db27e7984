// The seam to processes: runs one command and everything that it starts, to the end.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "process/resource_usage.h"

namespace sparkles {

struct Command {
  std::vector<std::string> argv;             // argv[0] is an absolute path; it is not searched for
  std::vector<std::string> environment;      // "NAME=value"; the whole environment of the command
  std::string folder;                        // working directory
  int output_fd = -1;                        // stdout and stderr; borrowed during Run
  absl::Duration grace = absl::Seconds(10);  // between TERM and KILL once cancelled
};

struct CommandExit {
  int wait_status = 0;  // as of waitpid(2)
  ResourceUsage usage;  // of the command, its descendants, and what was swept up after it
  absl::Time start;
  absl::Time end;
  int leftovers = 0;  // processes that outlived the command and were killed
};

// One command at a time; not thread-safe, apart from cancelling the token.
class ProcessRunner {
 public:
  virtual ~ProcessRunner() = default;

  // Runs `command` in a session of its own with stdin from /dev/null, default signal state and no
  // descriptor but 0-2, and waits for its end. Then whatever it left behind is killed, daemons
  // included; only after that does Run return. A cancelled token sends TERM to the process group
  // and after `grace` KILL; the exit is then what the command made of it.
  //
  // An error means that the command did not run or that its end is unknown:
  //   NotFound, PermissionDenied, ...: argv[0] could not be executed ("exec ARGV0: reason"), or
  //     FailedPrecondition: the working directory could not be entered ("chdir FOLDER: reason");
  //   machine fault: no process could be made, or the launcher is gone.
  virtual absl::StatusOr<CommandExit> Run(const Command& command, const CancelToken& cancel) = 0;
};

}  // namespace sparkles
