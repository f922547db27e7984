#include "executor/exit_cause.h"

#include <signal.h>
#include <sys/wait.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "process/wait_status.h"

namespace sparkles {
namespace {

// A shell reports a child that died of signal N with exit code 128 + N.
constexpr int kShellSignalBase = 128;
// A file system with less free space counts as full, because it reserves some blocks.
constexpr int64_t kFullBytes = 64 << 10;

bool MayBeSignal(int status, int number) {
  return (WIFSIGNALED(status) && WTERMSIG(status) == number) ||
         (WIFEXITED(status) && WEXITSTATUS(status) == kShellSignalBase + number);
}

std::string Victim(const OomKills& oom) {
  return oom.victim.empty() ? "" : absl::StrCat("; the kernel says: ", oom.victim);
}

std::string KillsInGroup(const OomKills& oom) {
  return absl::StrCat("the kernel killed ", oom.in_group,
                      " of the processes in the worker's control group for lack of memory",
                      Victim(oom));
}

std::optional<ExitCause> FindLackOfMemory(int status, const OomKills& oom) {
  if (oom.in_group > 0) {
    return ExitCause{"out_of_memory", KillsInGroup(oom)};
  }
  // A kill outside of the control group is the cause only if this command died of KILL.
  if (oom.on_machine > 0 && MayBeSignal(status, SIGKILL)) {
    return ExitCause{"out_of_memory",
                     absl::StrCat("killed, while the kernel killed ", oom.on_machine,
                                  " processes on this machine for lack of memory", Victim(oom))};
  }
  return std::nullopt;
}

ExitCause SignalCause(int number, const OomKills& oom) {
  const std::string name = ReturnCodeText(number);  // the wait status of a signal is its number
  if (number == SIGKILL) {
    if (!oom.known) {
      return {"signal",
              absl::StrCat(name,
                           ": not sent by this worker; the kernel may have sent it for "
                           "lack of memory, but this machine does not report such kills")};
    }
    return {"signal", absl::StrCat(name,
                                   ": not sent by this worker, and the kernel has counted no kill "
                                   "for lack of memory: sent by the command itself, or by "
                                   "another process on this machine")};
  }
  return {"signal", absl::StrCat(name, ": not sent by this worker")};
}

}  // namespace

std::string LackOfMemory(const OomKills& oom) {
  return absl::StrCat("out of memory: ", KillsInGroup(oom));
}

std::string NoProgressReason(absl::Duration timeout) {
  return absl::StrCat("no progress for ", absl::FormatDuration(timeout),
                      " (--noProgressTimeout): the processes used no CPU, did no I/O and printed "
                      "nothing, so the worker ended them. The log shows where they waited. A "
                      "command that waits for work elsewhere must print a line from time to time");
}

std::optional<ExitCause> FindExitCause(const CommandExit& exit, const ExitContext& known) {
  const int status = exit.wait_status;
  if (exit.timed_out) {
    return ExitCause{"time_limit", "the worker ended the command at its time limit"};
  }
  if (exit.no_progress) {
    return ExitCause{"no_progress", NoProgressReason(known.no_progress_timeout)};
  }
  if (status == 0) return std::nullopt;
  if (known.cancelled) return ExitCause{"stopped", "the worker ended the command"};
  if (auto cause = FindLackOfMemory(status, known.oom)) return cause;
  if (WIFSIGNALED(status)) return SignalCause(WTERMSIG(status), known.oom);
  const DiskSpace& disk = known.least_free;
  if (disk.known && (disk.bytes < kFullBytes || disk.no_inodes)) {
    return ExitCause{
        "disk_full",
        absl::StrCat("the file system of the task's directory was full: at one time only ",
                     disk.bytes, " bytes", disk.no_inodes ? " and no inode" : "", " were free")};
  }
  return ExitCause{"exit_code", absl::StrCat("the command ended with ", WEXITSTATUS(status))};
}

absl::Status CheckFileSizeLimit(int wait_status) {
  if (!MayBeSignal(wait_status, SIGXFSZ)) return absl::OkStatus();
  absl::Status error = ErrnoError(EFBIG, "a file that the command wrote");
  return IsMachineFault(error) ? error : absl::OkStatus();
}

}  // namespace sparkles
