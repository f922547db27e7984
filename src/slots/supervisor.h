// The parent of slots: starts them, starts failed ones again, and passes requests and logs on.
#pragma once

#include <sys/types.h>

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mutex.h"
#include "monitor/log_publisher.h"
#include "slots/slot_board.h"
#include "slots/slot_channel.h"
#include "slots/slot_process.h"

namespace sparkles {

// A slot that has failed is started again after these waits, and then never again. Exits because of
// an unfit machine (code 5) count for all slots together, because the machine is the same. The sum
// gives a machine about two minutes to recover.
inline constexpr std::array<absl::Duration, 5> kSlotRestartWaits = {
    absl::Seconds(1), absl::Seconds(5), absl::Seconds(15), absl::Seconds(30), absl::Seconds(60)};

// A slot that has run for this time has recovered, and has all its restarts again.
inline constexpr absl::Duration kSteadyTime = absl::Hours(1);

// The requests to the whole worker, which its slots share. All are borrowed.
struct SlotRequests {
  const CancelToken& stop;
  const CancelToken& preempted;  // its cancellation also cancels `stop`
  const CancelToken& drain;      // also cancelled with `stop`
};

struct SupervisorOptions {
  // Starts the process of a slot. Called only on the thread of Run.
  std::function<absl::StatusOr<pid_t>(const SlotPlace& place, const SlotDescriptors& descriptors)>
      start;
  // Called with each line that a slot logs, with its line end. If it is empty, the slots write to
  // the parent's stderr.
  std::function<void(absl::string_view line)> on_line = nullptr;
  // Shows the logs of tasks; null if there is no Monitor. Borrowed.
  LogPublisher* logs = nullptr;
  // The address of the Monitor for claims; empty if it does not run.
  std::function<std::string()> monitor_address = [] { return ""; };
  std::array<absl::Duration, 5> restart_waits = kSlotRestartWaits;
  absl::Duration steady_time = kSteadyTime;
};

// Run is used by one thread. The other functions are thread-safe.
class Supervisor {
 public:
  // Borrows `board`, which has one entry for each slot, and the requests.
  Supervisor(SupervisorOptions options, SlotBoard& board, const SlotRequests& requests, Log log);

  // Blocks until all slots have ended for good. Returns the highest exit code of the last process
  // of each slot: 0 if all have ended well, 128 + N for a process that signal N has ended. Reaps
  // all children of this process.
  int Run();

  // For each slot, whether its process runs.
  std::vector<bool> Live() const;

 private:
  struct Slot {
    int number = 0;
    pid_t process = 0;                        // 0 while none runs
    std::optional<SlotChannel> channel = {};  // while the process runs, until it closes its end
    UniqueFd log = {};                        // the reading end of the pipe
    std::string line = "";                    // an incomplete line of the log
    std::string running = "";                 // the task whose log the Monitor shows
    size_t restarts = 0;
    absl::Duration started_at;                           // MonotonicNow
    absl::Duration start_at = absl::InfiniteDuration();  // MonotonicNow; infinite: never
    int code = 0;
  };

  void Start(Slot& slot);
  absl::Status TryStart(Slot& slot);
  // Waits until there is something to do.
  void Wait();
  void Reap();
  void HandleEnd(Slot& slot, int wait_status);
  // Logs that the slot has ended, and decides whether the slot is started again. `what` follows
  // "slot N ".
  void HandleFailure(Slot& slot, const std::string& what, bool worth_restart);
  void ReadMessages(Slot& slot);
  void ReadLog(Slot& slot);
  // Passes new requests on to all slots.
  void PassRequests();
  void SendToAll(const SlotMessage& message);
  bool AllEnded() const;

  const SupervisorOptions options_;
  SlotBoard& board_;
  const SlotRequests requests_;
  const Log log_;
  bool preempted_sent_ = false;
  bool stop_sent_ = false;
  bool hurry_sent_ = false;
  bool drain_sent_ = false;
  std::string monitor_address_;  // as the slots know it
  size_t unfit_restarts_ = 0;    // of all slots
  mutable Mutex mutex_;          // guards the process ids of the slots for Live
  std::vector<Slot> slots_;
};

}  // namespace sparkles
