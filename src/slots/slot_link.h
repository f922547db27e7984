// The link from a slot to its parent.
#pragma once

#include <memory>
#include <optional>
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

  // Passes the parent's requests on to `stop` (borrowed until StopListening). If the parent dies,
  // the process exits at once, and its launcher ends the command. Throws std::system_error if the
  // system refuses the thread.
  void Listen(WorkerStop& stop);
  void StopListening() { thread_.reset(); }

  absl::Status AddLog(const std::string& task_id, const std::string& path) override;
  void EndLog(const std::string& task_id) override;
  void DropOldLogs() override;

 private:
  SlotLink(const SlotPlace& place, UniqueFd channel, std::unique_ptr<SlotBoard> board);
  void Receive(WorkerStop& stop, const CancelToken& done);
  void Handle(const SlotMessage& message, WorkerStop& stop);

  const SlotPlace place_;
  const SlotChannel channel_;
  const std::unique_ptr<SlotBoard> board_;
  Mutex mutex_;
  std::string monitor_address_ ABSL_GUARDED_BY(mutex_);
  std::optional<Housekeeper> thread_;
};

}  // namespace sparkles
