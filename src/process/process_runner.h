// The seam to processes: runs one command and everything that it starts, to the end.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/stop_time.h"
#include "base/usage.h"

namespace sparkles {

struct Command {
  std::vector<std::string> argv;             // argv[0] is an absolute path; it is not searched for
  std::vector<std::string> environment;      // "NAME=value"; the whole environment of the command
  std::string folder;                        // working directory
  int output_fd = -1;                        // stdout and stderr; borrowed during Run
  absl::Duration grace = absl::Seconds(10);  // between TERM and KILL once it is to end
  absl::Duration time_limit = absl::InfiniteDuration();  // it is to end when it has run so long
  bool core_dumps = false;                               // as large as the hard limit allows
  absl::Duration sweep_limit = absl::Seconds(30);        // for what KILL does not end at once
  // May be empty. Called by Run's thread as long as the command runs, and how often at least. Each
  // call wakes two processes.
  std::function<void()> while_waiting = nullptr;
  absl::Duration waiting_interval = absl::Milliseconds(500);
  StopTime stop_time = {};  // limits what KILL may take once the token is hurried
};

struct CommandExit {
  int wait_status = 0;     // as of waitpid(2)
  ResourceUsage usage;     // of the command, its descendants, and what was swept up after it
  absl::Time start;        // wall clock, just before the fork
  absl::Time end;          // wall clock, when the command was seen dead
  int leftovers = 0;       // processes that outlived the command and were killed
  bool timed_out = false;  // it was asked to end because of its time limit
  bool survivors = false;  // KILL did not end all processes that the command started
};

// InvalidArgument for a command that no runner can run: no argv, a NUL inside a text, more text
// than any kernel takes, an output_fd that is not open.
absl::Status CheckCommand(const Command& command);

// One command at a time; not thread-safe, apart from cancelling the token.
class ProcessRunner {
 public:
  virtual ~ProcessRunner() = default;

  // Runs `command` in a session of its own with stdin from /dev/null, default signal state and no
  // descriptor but 0-2, and waits for its end, whoever still holds output_fd. Whatever it left
  // behind, daemons included, may end by itself within a fifth of a second and is then killed; only
  // after that does Run return. CommandExit::survivors tells of processes that KILL does not end
  // within the command's sweep_limit, or until `cancel` is cancelled.
  // A cancelled token sends TERM to the process group and after `grace`, or once the token is
  // hurried, KILL; the exit is then what the command made of it. The grace is for all of the group:
  // for the program that a shell runs, too, when the shell itself has died of TERM. A token that is
  // cancelled already ends the command when it has begun. The time limit does the same as a
  // cancelled token.
  //
  // An error means that the command did not run or that its end is unknown:
  //   InvalidArgument: as CheckCommand says;
  //   NotFound, PermissionDenied, ...: argv[0] could not be executed ("exec ARGV0: reason"), or
  //     FailedPrecondition: the working directory could not be entered ("chdir FOLDER: reason");
  //   machine fault: no process could be made, or the launcher is gone.
  virtual absl::StatusOr<CommandExit> Run(const Command& command, const CancelToken& cancel) = 0;
};

}  // namespace sparkles
