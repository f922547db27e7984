// `logs`: prints what a task has printed, as a worker's Monitor gives it: as far as it has come or,
// if it is followed, to its end.
// The one hard idea: patience is what was spent on calls and pauses in vain, not the time on the
// wall; who followed on a laptop that slept for an hour has as much of it left as before.
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
  // How long (at least) a worker that has answered may be away while its task is followed,
  static constexpr absl::Duration kPatience = absl::Seconds(30);
  // and how long a task may be without a log that has just been claimed.
  static constexpr absl::Duration kStartPatience = absl::Seconds(3);

  // As MonitorClient::ReadOutput, of that task.
  using Read = std::function<absl::StatusOr<OutputPiece>(int64_t offset, int32_t size)>;

  // Borrows `clock`. `address` is for messages; the log goes to the descriptor `out`.
  LogPrinter(std::string address, bool follow, Read read, Clock& clock, int out)
      : address_(std::move(address)),
        follow_(follow),
        read_(std::move(read)),
        clock_(clock),
        out_(out) {}

  absl::Status Run();

 private:
  // Ok, after a pause, if it is worth trying again. `took`: how long the call that failed has.
  absl::Status Endure(const absl::Status& error, absl::Duration took);
  // Why patience has ended.
  absl::Status GivenUp(const absl::Status& error) const;

  const std::string address_;
  const bool follow_;
  const Read read_;
  Clock& clock_;
  const int out_;
  CancelToken never_;
  int64_t offset_ = 0;
  bool answered_ = false;   // the worker has, if only that the task is unknown
  bool has_read_ = false;   // the log is, or was, there
  absl::Duration in_vain_;  // since the last call that did not fail
};

}  // namespace sparkles
