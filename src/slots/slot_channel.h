// The messages between the parent and a slot, over one socket. Both run the same program.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/fd.h"

namespace sparkles {

struct SlotMessage {
  enum class Kind : char {
    // To the slot.
    kStop = 'S',       // hand the task back and exit, because of `first`
    kPreempted = 'P',  // the same, because the VM is preempted
    kHurry = 'H',      // the stop must end at once
    kDrain = 'D',      // exit after the task
    kMonitor = 'M',    // `first` is the address of the Monitor; empty if it does not run
    // To the parent.
    kLogStarts = 'L',  // task `first` has the log file `second`
    kLogEnds = 'E',    // task `first` has ended
    kDropLogs = 'O',   // drop logs of ended tasks, which take disk space
  };
  Kind kind = Kind::kStop;
  std::string first = "";
  std::string second = "";
};

// Each end is used by one thread for reading. Sending is thread-safe.
class SlotChannel {
 public:
  // Takes a socket of MakePair.
  explicit SlotChannel(UniqueFd socket) : socket_(std::move(socket)) {}
  // Two connected sockets. They keep the bounds of messages.
  static absl::StatusOr<std::pair<UniqueFd, UniqueFd>> MakePair();

  // Never waits: a message is lost, with an error, if the other process does not read.
  absl::Status Send(const SlotMessage& message) const;
  // nullopt if no message has arrived. Unavailable if the other process has ended. A malformed
  // message is skipped.
  absl::StatusOr<std::optional<SlotMessage>> Receive() const;

  // Readable for poll(2) if there is a message, or if the other process has ended.
  int fd() const { return socket_.get(); }

 private:
  UniqueFd socket_;
};

}  // namespace sparkles
