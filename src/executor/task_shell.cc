#include "executor/task_shell.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status.h"
#include "executor/exit_cause.h"
#include "process/monotonic.h"
#include "process/wait_status.h"

namespace sparkles {
namespace {

constexpr char kShell[] = "/bin/sh";

// A stop that goes to all processes (systemd, Slurm, SGE, a console) may end the command before the
// worker has read its own signal. The task must then be handed back, not completed.
constexpr absl::Duration kSignalLag = absl::Milliseconds(250);
// systemd (OOMPolicy=stop) stops a service within milliseconds of a kill for lack of memory. The
// worker sees the kill when the command ends, or up to 2 s late
// (ExecutorOptions::heartbeat_interval).
constexpr absl::Duration kOomStopLag = absl::Seconds(2);
// The exit codes of a command that died of INT, USR2, TERM or XCPU (worker/signals.h).
constexpr std::array<absl::string_view, 4> kExitCodesOfStops = {"130", "140", "143", "152"};

bool EndedLikeAStop(int wait_status) {
  const std::string code = ExitCodeText(wait_status);
  return std::find(kExitCodesOfStops.begin(), kExitCodesOfStops.end(), code) !=
         kExitCodesOfStops.end();
}

}  // namespace

TaskShell::TaskShell(Executor& executor, std::vector<std::string> environment,
                     const Activity& activity)
    : executor_(executor),
      environment_(std::move(environment)),
      activity_(activity,
                [this](uint64_t) {
                  executor_.oom.Poll();
                  NoteStop();
                }),
      cancel_(activity.cancel()),
      began_(MonotonicNow()) {}

absl::StatusOr<CommandExit> TaskShell::Run(const std::string& script, const std::string& directory,
                                           int output_fd) {
  const Command command{.argv = {kShell, "-c", script},
                        .environment = environment_,
                        .directory = directory,
                        .output_fd = output_fd,
                        .grace = executor_.options.grace,
                        .time_limit = executor_.options.time_limit,
                        .no_progress_timeout = executor_.options.no_progress_timeout,
                        .core_dumps = executor_.options.core_dumps,
                        .heartbeat_interval = executor_.options.heartbeat_interval,
                        .stop_time = executor_.options.stop_time};
  executor_.oom.Begin();
  auto exit = executor_.runner.Run(command, activity_);
  oom_kills_ = executor_.oom.End();
  if (oom_kills_.in_group > 0) last_oom_kills_ = oom_kills_;
  if (exit.ok()) {
    if (EndedLikeAStop(exit->wait_status)) executor_.clock.Sleep(kSignalLag, cancel_);
    return exit;
  }
  // If directory and arguments are valid, the machine or the image keeps the shell from running.
  if (absl::IsFailedPrecondition(exit.status()) || absl::IsInvalidArgument(exit.status())) {
    return exit;
  }
  return MachineFault(exit.status());
}

std::string TaskShell::LimitReason(const CommandExit& exit) const {
  const ExecutorOptions& options = executor_.options;
  if (exit.no_progress) return NoProgressReason(options.no_progress_timeout);
  return absl::StrCat("time-out: it ran longer than --taskTimeout allows (",
                      absl::FormatDuration(options.time_limit), ") and was ended");
}

std::optional<std::string> TaskShell::LackOfMemoryAtStop() {
  NoteStop();
  if (!stopped_for_memory_) return std::nullopt;
  return LackOfMemory(last_oom_kills_);
}

void TaskShell::NoteStop() {
  if (cancel_.kind() != CancelKind::kHandBack) return;
  if (!stopped_at_) stopped_at_ = MonotonicNow();
  const std::optional<absl::Duration> killed = executor_.oom.last_kill();
  // A kill during an earlier task does not count.
  if (!killed || *killed < began_) return;
  stopped_for_memory_ |= absl::AbsDuration(*stopped_at_ - *killed) <= kOomStopLag;
}

}  // namespace sparkles
