// The command `logs`: prints the log of a task, as a worker's Monitor returns it.
// Limits count the time of failed calls and pauses, and not wall time. Therefore a laptop that
// slept for an hour can continue to follow a log.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "monitor/client.h"

namespace sparkles {

class LogPrinter {
 public:
  // The longest outage of a worker that has answered before, while its task is followed.
  static constexpr absl::Duration kMaxOutage = absl::Seconds(30);
  // The longest wait for the log of a task that was just claimed.
  static constexpr absl::Duration kMaxStartWait = absl::Seconds(3);

  // Reads a piece of the task's log, like MonitorClient::ReadOutput.
  using Read = std::function<absl::StatusOr<OutputPiece>(int64_t offset, int32_t size)>;

  // Borrows `clock`. `address` is for messages; the log goes to the descriptor `out`.
  LogPrinter(std::string address, bool follow, Read read, Clock& clock, int out)
      : address_(std::move(address)),
        follow_(follow),
        read_(std::move(read)),
        clock_(clock),
        out_(out) {}

  // Prints the present log, or follows the log until the task has ended. Blocks.
  absl::Status Run();

 private:
  // Returns OK after a pause if the call should be repeated, and otherwise an error. `took` is the
  // duration of the failed call.
  absl::Status HandleError(const absl::Status& error, absl::Duration took);
  // The error after too long an outage, with the remedy.
  absl::Status EndedWorkerError(const absl::Status& error) const;

  const std::string address_;
  const bool follow_;
  const Read read_;
  Clock& clock_;
  const int out_;
  CancelToken never_cancelled_;
  int64_t offset_ = 0;
  bool answered_ = false;   // the worker has answered, perhaps that the task is unknown
  bool has_read_ = false;   // a piece of the log was read
  absl::Duration failing_;  // time of failed calls and pauses since the last success
};

}  // namespace sparkles
