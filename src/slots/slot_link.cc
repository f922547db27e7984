#include "slots/slot_link.h"

#include <poll.h>
#include <unistd.h>

#include <system_error>
#include <utility>

#include "base/status.h"
#include "worker/exit_code.h"

namespace sparkles {

absl::StatusOr<std::unique_ptr<SlotLink>> SlotLink::Open(SlotOrigin origin) {
  ASSIGN_OR_RETURN(auto board, SlotBoard::Attach(std::move(origin.board), origin.place.count));
  return std::unique_ptr<SlotLink>(
      new SlotLink(origin.place, std::move(origin.channel), std::move(board)));
}

SlotLink::SlotLink(const SlotPlace& place, UniqueFd channel, std::unique_ptr<SlotBoard> board)
    : place_(place), channel_(std::move(channel)), board_(std::move(board)) {}

std::string SlotLink::MonitorAddress() {
  MutexLock lock(mutex_);
  return monitor_address_;
}

std::unique_ptr<Housekeeper> SlotLink::Listen(WorkerStop& stop) {
  HandleWaiting(stop);
  auto thread = std::make_unique<Housekeeper>(
      "slot-link", [this, &stop](const CancelToken& done) { Receive(stop, done); });
  if (!thread->status().ok()) {
    throw std::system_error(ErrnoOf(thread->status()), std::generic_category());
  }
  return thread;
}

void SlotLink::HandleWaiting(WorkerStop& stop) {
  while (true) {
    const auto message = channel_.Receive();
    // The kernel kills the slots of a dead parent, but not in every sandbox.
    if (!message.ok()) _exit(kExitFailed);
    if (!*message) return;
    Handle(**message, stop);
  }
}

void SlotLink::Receive(WorkerStop& stop, const CancelToken& done) {
  while (!done.cancelled()) {
    pollfd waited[] = {{channel_.fd(), POLLIN, 0}, {done.fd(), POLLIN, 0}};
    (void)poll(waited, 2, done.fd() >= 0 ? -1 : 100);
    HandleWaiting(stop);
  }
}

void SlotLink::Handle(const SlotMessage& message, WorkerStop& stop) {
  switch (message.kind) {
    case SlotMessage::Kind::kStop:
      stop.token().Cancel(CancelKind::kHandBack, message.first);
      break;
    case SlotMessage::Kind::kPreempted:
      stop.preempted().Cancel(CancelKind::kHandBack, message.first);
      break;
    case SlotMessage::Kind::kHurry:
      stop.token().Hurry();
      break;
    case SlotMessage::Kind::kDrain:
      stop.drain().Cancel(CancelKind::kAbort, message.first);
      break;
    case SlotMessage::Kind::kMonitor: {
      MutexLock lock(mutex_);
      monitor_address_ = message.first;
      break;
    }
    case SlotMessage::Kind::kLogStarts:
    case SlotMessage::Kind::kLogEnds:
    case SlotMessage::Kind::kDropLogs:
      break;
  }
}

absl::Status SlotLink::AddLog(const std::string& task_id, const std::string& path) {
  return channel_.Send({SlotMessage::Kind::kLogStarts, task_id, path});
}

void SlotLink::EndLog(const std::string& task_id) {
  (void)channel_.Send({SlotMessage::Kind::kLogEnds, task_id});
}

void SlotLink::DropOldLogs() { (void)channel_.Send({SlotMessage::Kind::kDropLogs}); }

}  // namespace sparkles
