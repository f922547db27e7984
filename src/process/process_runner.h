// The seam to processes: runs a command, and ends all processes that the command started.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/activity.h"
#include "base/stop_time.h"
#include "base/usage.h"

namespace sparkles {

struct Command {
  std::vector<std::string> argv;             // argv[0] is an absolute path; PATH is not searched
  std::vector<std::string> environment;      // "NAME=value"; the whole environment of the command
  std::string directory;                     // where the command starts
  int output_fd = -1;                        // stdout and stderr; borrowed during Run
  absl::Duration grace = absl::Seconds(10);  // the time from TERM to KILL
  absl::Duration time_limit = absl::InfiniteDuration();  // after this time the command gets TERM
  // After this time without progress (process/progress_watch.h) the command gets TERM.
  absl::Duration no_progress_timeout = absl::InfiniteDuration();
  bool core_dumps = false;                         // as large as the hard limit allows
  absl::Duration sweep_limit = absl::Seconds(30);  // longest wait for leftovers after KILL
  // The longest time between two signs of life while the command runs. Each wakes two processes.
  absl::Duration heartbeat_interval = absl::Milliseconds(500);
  StopTime stop_time = {};  // limits the wait after KILL when the token is hurried
};

struct CommandExit {
  int wait_status = 0;       // as of waitpid(2)
  ResourceUsage usage;       // of the command, its descendants and its leftovers
  absl::Time start;          // wall clock, just before the fork
  absl::Time end;            // wall clock, when the launcher noticed the end
  int leftovers = 0;         // processes that outlived the command and were killed
  bool timed_out = false;    // the command got TERM because of its time limit
  bool no_progress = false;  // the command got TERM because of its no_progress_timeout
  bool survivors = false;    // KILL did not end all processes that the command started

  bool reached_limit() const { return timed_out || no_progress; }
};

// InvalidArgument if no runner can run the command: an empty argv, a NUL inside a text, more text
// than Linux accepts, or an output_fd that is not open.
absl::Status CheckCommand(const Command& command);

// Runs one command at a time. Not thread-safe, but any thread may cancel the activity's token.
class ProcessRunner {
 public:
  virtual ~ProcessRunner() = default;

  // Runs `command` in its own session, with stdin from /dev/null, default signal actions and only
  // the descriptors 0-2. Waits for the end of the command, not for the end of its output.
  //
  // Leftovers, including daemons, have a fifth of a second to end by themselves. Then Run kills
  // them, and returns when they have ended. CommandExit::survivors is set if KILL does not end all
  // of them within `sweep_limit`, or before `activity` is cancelled.
  //
  // A running command is work of `activity`, reported on the thread of Run.
  //
  // If `activity` is cancelled, the time limit has passed, or the command has made no progress for
  // its no_progress_timeout, the process group gets TERM. In the last case Run first appends lines
  // "sparkles: ..." to the output, which say where each process waits. After `grace`, or when the
  // token is hurried, the group gets KILL. The grace applies to the whole group: if a shell has
  // died of TERM, the programs that it started still have the grace. With a token that is already
  // cancelled, the command starts and is then ended.
  //
  // An error means that the command did not run or that its end is unknown:
  //   InvalidArgument: see CheckCommand;
  //   NotFound, PermissionDenied, ...: argv[0] could not be executed ("exec ARGV0: reason");
  //   FailedPrecondition: the directory could not be entered ("chdir DIRECTORY: reason"), or the
  //     launcher was killed while the command ran;
  //   machine fault: no process could be made, or the command still runs after KILL.
  virtual absl::StatusOr<CommandExit> Run(const Command& command, const Activity& activity) = 0;
};

}  // namespace sparkles
