// Runs a program beside the commands, such as nvidia-smi.
// The program has a launcher of its own. The launcher of the commands ends, counts and waits for
// all processes below it, so a program below it would be part of a command's usage, and a hung
// program would count as a command that KILL does not end.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "process/launcher_process.h"
#include "process/process_runner.h"

namespace sparkles {

// No function waits for the program. Only one thread at a time may use an object, but any thread
// may call launcher_pid. PosixProcessRunner owns the only object of a process.
class SideProgram {
 public:
  // Forks the launcher, which is ready for Run until this object is destroyed. Like
  // PosixProcessRunner::Start, call this before the process has threads.
  static absl::StatusOr<std::unique_ptr<SideProgram>> Start(const std::string& proc_root);
  // Ends the program and the launcher. If this process is killed, they end, too.
  ~SideProgram();
  SideProgram(const SideProgram&) = delete;
  SideProgram& operator=(const SideProgram&) = delete;

  // Starts `command`, of which grace and time_limit have no effect. Both stdout and stderr are
  // output_fd. OK does not mean that the program can be executed. Unavailable while the program of
  // an earlier call has not ended, which may be for ever; FailedPrecondition if the launcher was
  // killed.
  absl::Status Run(const Command& command);

  // Sends KILL to the program and all processes that it started. Further calls have no effect.
  void End();

  // 0 after the launcher was found dead.
  pid_t launcher_pid() const { return launcher_pid_; }

 private:
  explicit SideProgram(LauncherProcess launcher)
      : socket_(std::move(launcher.socket)), launcher_pid_(launcher.pid) {}

  // Reads the launcher's reply about the last program, if it has arrived.
  void ReadReply();
  void GiveUp();

  UniqueFd socket_;  // invalid after the launcher was found dead
  std::atomic<pid_t> launcher_pid_;
  bool running_ = false;  // the last program, or a process that it started, may live
  bool killed_ = false;   // End was called for the last program
};

}  // namespace sparkles
