#include "slots/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "process/monotonic.h"
#include "worker/exit_code.h"

namespace sparkles {
namespace {

// A hurried token has no descriptor, and the Monitor can start late.
constexpr absl::Duration kPollPeriod = absl::Milliseconds(250);
// After a slot has closed its channel, its process is about to end.
constexpr absl::Duration kEndPollPeriod = absl::Milliseconds(5);
// A longer line is passed on in pieces.
constexpr size_t kMaxLine = 64 << 10;

int CodeOf(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

std::string TextOf(int wait_status) {
  return WIFSIGNALED(wait_status) ? absl::StrCat("was killed by signal ", WTERMSIG(wait_status))
                                  : absl::StrCat("exited with ", WEXITSTATUS(wait_status));
}

// True if another process of the same slot may do better. The other codes mean that the slot has
// done its work, was stopped by a person, or cannot work with these flags.
bool IsWorthRestart(int wait_status) {
  if (WIFSIGNALED(wait_status)) return true;
  switch (WEXITSTATUS(wait_status)) {
    case kExitFailed:
    case kExitMachineUnfit:
    case kExitStuck:
      return true;
    default:
      return false;
  }
}

}  // namespace

Supervisor::Supervisor(SupervisorOptions options, SlotBoard& board, const SlotRequests& requests,
                       Log log)
    : options_(std::move(options)),
      board_(board),
      requests_(requests),
      log_(std::move(log)),
      slots_(static_cast<size_t>(board.slots())) {
  for (size_t i = 0; i < slots_.size(); ++i) slots_[i].number = static_cast<int>(i);
}

int Supervisor::Run() {
  for (Slot& slot : slots_) slot.start_at = absl::ZeroDuration();
  while (!AllEnded()) {
    PassRequests();
    for (Slot& slot : slots_) {
      if (slot.process == 0 && slot.start_at <= MonotonicNow()) Start(slot);
    }
    if (AllEnded()) break;
    Wait();
    for (Slot& slot : slots_) {
      ReadMessages(slot);
      ReadLog(slot);
    }
    Reap();
  }
  int highest = kExitDone;
  for (const Slot& slot : slots_) highest = std::max(highest, slot.code);
  return highest;
}

std::vector<bool> Supervisor::Live() const {
  MutexLock lock(mutex_);
  std::vector<bool> live;
  for (const Slot& slot : slots_) live.push_back(slot.process != 0);
  return live;
}

bool Supervisor::AllEnded() const {
  return std::all_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
    return slot.process == 0 && slot.start_at == absl::InfiniteDuration();
  });
}

void Supervisor::Start(Slot& slot) {
  slot.start_at = absl::InfiniteDuration();
  if (requests_.drain.cancelled()) return;
  const absl::Status started = TryStart(slot);
  if (started.ok()) return;
  slot.code = kExitMachineUnfit;
  slot.channel.reset();
  HandleFailure(slot, absl::StrCat("cannot start: ", started.message()), /*worth_restart=*/true);
}

absl::Status Supervisor::TryStart(Slot& slot) {
  ASSIGN_OR_RETURN(auto ends, SlotChannel::MakePair());
  UniqueFd writer;
  if (options_.on_line) {
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) != 0) return ErrnoError(errno, "pipe for a slot");
    slot.log.reset(pipe_ends[0]);
    writer.reset(pipe_ends[1]);
    fcntl(slot.log.get(), F_SETFL, O_NONBLOCK);
  }
  // A slot that starts after faults tries one task.
  if (slot.code == kExitMachineUnfit) board_.streak().AllowOneMore();
  WorkerMetrics& metrics = board_.metrics(slot.number);
  metrics.machine_unfit = false;
  metrics.stalled = false;
  slot.channel.emplace(std::move(ends.first));
  (void)slot.channel->Send({SlotMessage::Kind::kMonitor, monitor_address_});
  ASSIGN_OR_RETURN(const pid_t process,
                   options_.start({slot.number, board_.slots()},
                                  {ends.second.get(), board_.fd(), writer.get()}));
  slot.started_at = MonotonicNow();
  MutexLock lock(mutex_);
  slot.process = process;
  return absl::OkStatus();
}

void Supervisor::Wait() {
  std::vector<pollfd> waited;
  absl::Duration wait = kPollPeriod;
  for (const Slot& slot : slots_) {
    if (slot.process == 0) {
      wait = std::min(wait, std::max(slot.start_at - MonotonicNow(), absl::ZeroDuration()));
      continue;
    }
    if (slot.channel) {
      waited.push_back({slot.channel->fd(), POLLIN, 0});
    } else {
      wait = std::min(wait, kEndPollPeriod);
    }
    if (slot.log.valid()) waited.push_back({slot.log.get(), POLLIN, 0});
  }
  if (!preempted_sent_) waited.push_back({requests_.preempted.fd(), POLLIN, 0});
  if (!stop_sent_) waited.push_back({requests_.stop.fd(), POLLIN, 0});
  if (!drain_sent_) waited.push_back({requests_.drain.fd(), POLLIN, 0});
  (void)poll(waited.data(), waited.size(), static_cast<int>(absl::ToInt64Milliseconds(wait) + 1));
}

void Supervisor::ReadMessages(Slot& slot) {
  while (slot.channel) {
    const auto message = slot.channel->Receive();
    if (!message.ok()) {
      slot.channel.reset();
      return;
    }
    if (!*message) return;
    if (options_.logs == nullptr) continue;
    switch ((*message)->kind) {
      case SlotMessage::Kind::kLogStarts: {
        slot.running = (*message)->first;
        const absl::Status added = options_.logs->AddLog((*message)->first, (*message)->second);
        // The log of a very short task may already be gone.
        if (!added.ok() && !absl::IsNotFound(added)) {
          log_.WithTask((*message)->first).Warning("Monitor: ", added.message());
        }
        break;
      }
      case SlotMessage::Kind::kLogEnds:
        options_.logs->EndLog((*message)->first);
        slot.running.clear();
        break;
      case SlotMessage::Kind::kDropLogs:
        options_.logs->DropOldLogs();
        break;
      default:
        break;
    }
  }
}

void Supervisor::ReadLog(Slot& slot) {
  char buffer[4096];
  while (slot.log.valid()) {
    const ssize_t got = RetryOnEintr([&] { return read(slot.log.get(), buffer, sizeof buffer); });
    if (got < 0) return;
    if (got == 0) {
      slot.log.reset();
      if (!slot.line.empty()) options_.on_line(slot.line + "\n");
      slot.line.clear();
      return;
    }
    for (absl::string_view rest(buffer, static_cast<size_t>(got)); !rest.empty();) {
      const size_t end = std::min(rest.find('\n'), rest.size() - 1) + 1;
      absl::StrAppend(&slot.line, rest.substr(0, end));
      rest.remove_prefix(end);
      if (slot.line.back() != '\n' && slot.line.size() < kMaxLine) continue;
      options_.on_line(slot.line);
      slot.line.clear();
    }
  }
}

void Supervisor::Reap() {
  int wait_status = 0;
  while (true) {
    const pid_t process = waitpid(-1, &wait_status, WNOHANG);
    if (process <= 0) return;
    // As PID 1 of a container, this process also gets orphans of other processes.
    const auto slot = std::find_if(slots_.begin(), slots_.end(),
                                   [&](const Slot& each) { return each.process == process; });
    if (slot != slots_.end()) HandleEnd(*slot, wait_status);
  }
}

void Supervisor::HandleEnd(Slot& slot, int wait_status) {
  ReadMessages(slot);
  ReadLog(slot);
  {
    MutexLock lock(mutex_);
    slot.process = 0;
  }
  slot.channel.reset();
  if (options_.logs != nullptr && !slot.running.empty()) options_.logs->EndLog(slot.running);
  slot.running.clear();
  WorkerMetrics& metrics = board_.metrics(slot.number);
  const auto task = metrics.current_task.Read();
  metrics.tasks_running = 0;
  for (GpuGauge& gauge : metrics.gpus) gauge.Clear();
  metrics.current_task.End();
  slot.code = CodeOf(wait_status);
  if (slot.code == kExitDone) return;
  // If the file has problems, each slot exits with this code, and the log says why.
  if (slot.code == kExitTasksFile) return;
  const bool worth_restart = IsWorthRestart(wait_status);
  // A slot that was asked to stop has other codes.
  if (requests_.stop.cancelled() && !worth_restart) return;
  std::string what = TextOf(wait_status);
  if (task && !task->task_id.empty()) {
    absl::StrAppend(&what, " while task ", task->task_id, " ran");
  }
  HandleFailure(slot, what, worth_restart);
}

void Supervisor::HandleFailure(Slot& slot, const std::string& what, bool worth_restart) {
  if (MonotonicNow() - slot.started_at >= options_.steady_time) slot.restarts = 0;
  const bool unfit = slot.code == kExitMachineUnfit;
  size_t& restarts = unfit ? unfit_restarts_ : slot.restarts;
  if (requests_.drain.cancelled() || !worth_restart) {
    log_.Warning("slot ", slot.number, " ", what, "; the slot is not started again");
  } else if (restarts == options_.restart_waits.size()) {
    log_.Error("slot ", slot.number, " ", what, "; the slot is given up after ", restarts,
               unfit ? " restarts of slots on this machine" : " restarts");
  } else {
    const absl::Duration wait = options_.restart_waits[restarts++];
    slot.start_at = MonotonicNow() + wait;
    log_.Warning("slot ", slot.number, " ", what, "; restart ", restarts, " of ",
                 options_.restart_waits.size(), " in ", absl::FormatDuration(wait));
  }
}

void Supervisor::PassRequests() {
  if (requests_.drain.cancelled()) {
    for (Slot& slot : slots_) slot.start_at = absl::InfiniteDuration();
  }
  // Even after a stop, because a preemption leaves less time.
  if (!preempted_sent_ && requests_.preempted.cancelled()) {
    SendToAll({SlotMessage::Kind::kPreempted, requests_.preempted.reason()});
    preempted_sent_ = stop_sent_ = drain_sent_ = true;
  }
  if (!stop_sent_ && requests_.stop.cancelled()) {
    SendToAll({SlotMessage::Kind::kStop, requests_.stop.reason()});
    stop_sent_ = drain_sent_ = true;
  }
  if (!drain_sent_ && requests_.drain.cancelled()) {
    SendToAll({SlotMessage::Kind::kDrain, requests_.drain.reason()});
    drain_sent_ = true;
  }
  if (!hurry_sent_ && requests_.stop.hurried()) {
    SendToAll({SlotMessage::Kind::kHurry});
    hurry_sent_ = true;
  }
  if (std::string address = options_.monitor_address(); address != monitor_address_) {
    monitor_address_ = std::move(address);
    SendToAll({SlotMessage::Kind::kMonitor, monitor_address_});
  }
}

void Supervisor::SendToAll(const SlotMessage& message) {
  for (const Slot& slot : slots_) {
    if (!slot.channel) continue;
    const absl::Status sent = slot.channel->Send(message);
    if (!sent.ok()) log_.Warning("slot ", slot.number, ": ", sent.message());
  }
}

}  // namespace sparkles
