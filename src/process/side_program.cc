#include "process/side_program.h"

#include <poll.h>
#include <signal.h>

#include "base/status.h"
#include "process/launcher_protocol.h"

namespace sparkles {

absl::StatusOr<std::unique_ptr<SideProgram>> SideProgram::Start(const std::string& proc_root) {
  ASSIGN_OR_RETURN(LauncherProcess launcher, ForkLauncher(proc_root, /*as_new_program=*/false));
  return std::unique_ptr<SideProgram>(new SideProgram(std::move(launcher)));
}

SideProgram::~SideProgram() {
  if (!socket_.valid()) return;
  socket_.reset();
  kill(launcher_pid_, SIGCONT);  // a command may have stopped the launcher
}

absl::Status SideProgram::Run(const Command& command) {
  RETURN_IF_ERROR(CheckCommand(command));
  if (running_) ReadReply();
  if (!socket_.valid()) return absl::FailedPreconditionError("side program: no launcher");
  if (running_) return absl::UnavailableError("side program: the last one has not ended");
  // At most this frame and one of End are unread, so the socket has room for them.
  const absl::Status sent =
      SendFrame(socket_.get(), FrameKind::kRun, EncodeCommand(command), command.output_fd);
  if (!sent.ok()) {
    GiveUp();
    return absl::FailedPreconditionError(sent.message());
  }
  running_ = true;
  killed_ = false;
  return absl::OkStatus();
}

void SideProgram::End() {
  if (running_) ReadReply();
  if (!running_ || killed_ || !socket_.valid()) return;
  killed_ = true;
  if (!SendFrame(socket_.get(), FrameKind::kKill, "").ok()) GiveUp();
}

void SideProgram::ReadReply() {
  pollfd waited{socket_.get(), POLLIN, 0};
  if (!socket_.valid() || poll(&waited, 1, 0) <= 0) return;
  // The launcher sends a reply at once and whole.
  const absl::StatusOr<Frame> reply = ReceiveFrame(socket_.get());
  if (!reply.ok()) return GiveUp();
  CommandExit exit;
  // A survivor never ends. Another program could hang in the same way.
  running_ = reply->kind == FrameKind::kEnded && CopyBytes(reply->payload, exit) && exit.survivors;
}

void SideProgram::GiveUp() {
  socket_.reset();
  launcher_pid_ = 0;
}

}  // namespace sparkles
