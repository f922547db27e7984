#include "tests/support/fake_process_runner.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"

namespace sparkles {
namespace {

// The form of waitpid(2): the signal in the low bits, the exit code in the next byte.
CommandExit ExitOf(int wait_status) {
  CommandExit exit;
  exit.wait_status = wait_status;
  exit.usage.user_cpu = absl::Microseconds(400);
  exit.usage.system_cpu = absl::Microseconds(300);
  exit.usage.max_rss_kb = 1024;
  exit.end = absl::Now();
  exit.start = exit.end - absl::Milliseconds(1);
  return exit;
}

absl::Status CheckPlaces(const Command& command) {
  struct stat info;
  const bool found = stat(command.directory.c_str(), &info) == 0;
  if (!found || !S_ISDIR(info.st_mode)) {
    const absl::Status status =
        ErrnoError(found ? ENOTDIR : errno, absl::StrCat("chdir ", command.directory));
    return absl::FailedPreconditionError(status.message());
  }
  if (access(command.argv[0].c_str(), X_OK) != 0) {
    return ErrnoError(errno, absl::StrCat("exec ", command.argv[0]));
  }
  return absl::OkStatus();
}

}  // namespace

CommandExit ExitedWith(int code) { return ExitOf(code << 8); }

CommandExit DiedOf(int signal) { return ExitOf(signal); }

void FakeProcessRunner::NextReturns(absl::StatusOr<CommandExit> result) {
  Next([result](const Command&, const Activity&) { return result; });
}

void FakeProcessRunner::NextWaitsForCancel() {
  Next([](const Command& command, const Activity& activity) -> absl::StatusOr<CommandExit> {
    const CancelToken& cancel = activity.cancel();
    CommandExit exit = DiedOf(SIGTERM);
    const absl::Duration never = absl::InfiniteDuration();
    exit.timed_out = command.time_limit != never && !cancel.cancelled();
    exit.no_progress =
        !exit.timed_out && command.no_progress_timeout != never && !cancel.cancelled();
    pollfd cancelled{cancel.fd(), POLLIN, 0};
    while (!exit.reached_limit() && !cancel.cancelled()) (void)poll(&cancelled, 1, -1);
    return exit;
  });
}

absl::StatusOr<CommandExit> FakeProcessRunner::Run(const Command& command,
                                                   const Activity& activity) {
  commands_.push_back(command);
  RETURN_IF_ERROR(CheckCommand(command));
  RETURN_IF_ERROR(CheckPlaces(command));
  if (actions_.empty()) return ExitedWith(0);
  const Action action = std::move(actions_.front());
  actions_.pop_front();
  return action(command, activity);
}

}  // namespace sparkles
