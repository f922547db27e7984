// Runs commands through the launcher (launcher.h), which this class starts, talks to and replaces.
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

namespace sparkles {

// At most one in a process, and nobody else in that process may have or wait for children: this
// class reaps all of them, which also serves a worker that is PID 1 of a container and is given
// strangers' orphans. Not thread-safe.
class PosixProcessRunner : public ProcessRunner {
 public:
  // Forks the launcher. To be called first of all: before threads exist, which could hold locks at
  // that moment, and before memory is used, which each command's peak would start with. Makes the
  // calling process a subreaper with the default disposition of SIGCHLD, and one that the kernel
  // rather spares when memory runs out (oom_score.h).
  // `relaunch`: this program's main hands launcher processes to RunRelaunched (relaunch.h).
  static absl::StatusOr<std::unique_ptr<PosixProcessRunner>> Start(std::string proc_root = "/proc",
                                                                   bool relaunch = false);
  // Ends the launcher.
  ~PosixProcessRunner() override;

  // If the launcher dies under a command, or the command survives KILL for seconds, everything that
  // can be killed is, and Run returns a machine fault. The next Run starts a new launcher. Where
  // that is a fork of this process and no new program (without `relaunch` or /proc), commands then
  // show the worker's memory of that moment as their least peak.
  absl::StatusOr<CommandExit> Run(const Command& command, const CancelToken& cancel) override;

  // Kills again the processes of an earlier command (CommandExit::survivors, or a machine fault).
  // Unavailable as long as one of them lives; no command can be run then.
  absl::Status EndSurvivors();

  // Lets the launcher keep the open file behind `fd` (borrowed for the call) open for as long as it
  // lives. A lock on it (flock, or fcntl's OFD locks) is then free again only when both this
  // process and the command that it ran are gone, even after kill -9. Never undone.
  absl::Status HoldInLauncher(int fd);

  // 0 if there is none. For tests.
  pid_t launcher_pid() const { return launcher_; }

 private:
  PosixProcessRunner(std::string proc_root, bool relaunch)
      : proc_root_(std::move(proc_root)), relaunch_(relaunch) {}

  // `fresh`: in a new program if that can be had.
  absl::Status StartLauncher(bool fresh);
  // Starts another launcher if this one is gone.
  absl::Status EnsureLauncher();
  // Ends the launcher and all that it may have left below this process and can be ended in time.
  void DropLauncher(absl::Duration sweep_limit);
  absl::StatusOr<Frame> Converse(const Command& command, const CancelToken& cancel,
                                 bool& timed_out);

  const std::string proc_root_;
  const bool relaunch_;
  UniqueFd socket_;
  pid_t launcher_ = 0;
  bool survivors_ = false;  // children of this process, since the launcher is gone
  std::vector<UniqueFd> held_;
};

}  // namespace sparkles
