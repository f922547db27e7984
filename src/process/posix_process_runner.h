// Runs commands through the launcher (launcher.h): starts it, sends requests and replaces it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/fd.h"
#include "process/launcher_protocol.h"
#include "process/process_runner.h"
#include "process/side_program.h"

namespace sparkles {

// The limit of a command that was the reason for TERM.
enum class CommandLimit { kNone, kTime, kProgress };

// At most one object in a process. No other code of the process may start or wait for children,
// because this class reaps all of them. This includes orphans that a worker adopts as PID 1 of a
// container. Not thread-safe.
class PosixProcessRunner : public ProcessRunner {
 public:
  // Forks the launcher. Call this before the process has threads, because they could hold locks
  // during the fork, and before it uses much memory, because each command's peak starts with the
  // launcher's memory. Makes the calling process a subreaper, resets SIGCHLD to its default action,
  // and protects the process when memory runs out (oom_score.h).
  // `relaunch`: main calls RunRelaunched (relaunch.h), so that later launchers can be new programs.
  static absl::StatusOr<std::unique_ptr<PosixProcessRunner>> Start(std::string proc_root = "/proc",
                                                                   bool relaunch = false);
  // Ends the launcher.
  ~PosixProcessRunner() override;

  // If the command survives KILL for seconds, all processes that can be killed are killed, and Run
  // returns a machine fault. If the launcher dies, the same happens, but the error is
  // FailedPrecondition if the command probably killed it. The next Run starts a new launcher.
  // Without `relaunch` or /proc, the new launcher is a fork of this process, and the peak memory of
  // later commands is at least the worker's memory at that time.
  absl::StatusOr<CommandExit> Run(const Command& command, const Activity& activity) override;

  // Kills the survivors of earlier commands again. Unavailable while one of them lives. Then no
  // command can run.
  absl::Status EndSurvivors();

  // Makes the launcher keep the open file of `fd` (borrowed for the call) open until it exits.
  // Then a lock on that file (flock, or fcntl's OFD locks) is released only after this process and
  // its command have both ended, even after kill -9. Cannot be undone.
  absl::Status KeepOpenInLauncher(int fd);

  // Prepares to run programs beside the commands. Call this once, directly after Start. The program
  // and its launcher are no survivors of a command, and no command waits for them.
  absl::Status StartSideProgram();
  // Null before StartSideProgram has succeeded. Lives as long as this object.
  SideProgram* side_program() { return side_program_.get(); }

  // 0 if there is no launcher. For tests.
  pid_t launcher_pid() const { return launcher_; }

 private:
  PosixProcessRunner(std::string proc_root, bool relaunch)
      : proc_root_(std::move(proc_root)), relaunch_(relaunch) {}

  // With `as_new_program` the launcher executes this program again, if that is possible.
  absl::Status StartLauncher(bool as_new_program);
  // Starts another launcher if this one is gone.
  absl::Status EnsureLauncher();
  // Kills the launcher and then, for at most `sweep_limit`, the descendants that it leaves.
  void KillLauncher(absl::Duration sweep_limit);
  absl::StatusOr<Frame> RunInLauncher(const Command& command, const Activity& activity,
                                      CommandLimit& reached);
  // The child that outlives a launcher; 0 if there is none.
  pid_t spared() const { return side_program_ ? side_program_->launcher_pid() : 0; }

  const std::string proc_root_;
  const bool relaunch_;
  UniqueFd socket_;
  pid_t launcher_ = 0;
  bool survivors_ = false;      // processes of a dead launcher live as children of this process
  std::vector<UniqueFd> held_;  // for the next launcher
  std::unique_ptr<SideProgram> side_program_;
};

}  // namespace sparkles
