// The link from a slot to its parent.
#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "monitor/log_publisher.h"
#include "slots/slot_board.h"
#include "slots/slot_channel.h"
#include "slots/slot_process.h"
#include "worker/worker_stop.h"

namespace sparkles {

// Thread-safe.
class SlotLink : public LogPublisher {
 public:
  // An error if the parent is another version of this program.
  static absl::StatusOr<std::unique_ptr<SlotLink>> Open(SlotOrigin origin);

  const SlotPlace& place() const { return place_; }
  // In memory that the parent reads.
  WorkerMetrics& metrics() { return board_->metrics(place_.number); }
  // The address of the parent's Monitor for claims. Empty if the Monitor does not run.
  std::string MonitorAddress();

  // The faults in a row of all slots together.
  FaultStreak& streak() { return board_->streak(); }
  // See SlotBoard.
  bool IsNews(absl::string_view message) { return board_->IsNews(message); }

  // Passes the parent's requests on to `stop`, those that wait already before this call returns. If
  // the parent dies, the process exits at once, and its launcher ends the command. Borrows `stop`
  // until the returned thread is destroyed. Throws std::system_error if the system refuses the
  // thread.
  std::unique_ptr<Housekeeper> Listen(WorkerStop& stop);

  absl::Status AddLog(const std::string& task_id, const std::string& path) override;
  void EndLog(const std::string& task_id) override;
  void DropOldLogs() override;

 private:
  SlotLink(const SlotPlace& place, UniqueFd channel, std::unique_ptr<SlotBoard> board);
  void Receive(WorkerStop& stop, const CancelToken& done);
  void HandleWaiting(WorkerStop& stop);
  void Handle(const SlotMessage& message, WorkerStop& stop);

  const SlotPlace place_;
  const SlotChannel channel_;
  const std::unique_ptr<SlotBoard> board_;
  Mutex mutex_;
  std::string monitor_address_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sparkles
