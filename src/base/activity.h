// What a piece of work reports while it goes on, and the answer whether it may go on.
// The one hard idea: a wait may last for ever without being stuck work, and stuck work must not
// look alive. Only work that is done is a sign of life for the watchdog.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "base/cancel.h"
#include "base/vitals.h"

namespace sparkles {

// Passed by reference from the work as a whole down to each piece. Each report returns Cancelled,
// with the token's reason, if the work is to stop.
// Thread-safe: any number of threads may work for one activity. All that it borrows must outlive
// it.
class Activity {
 public:
  // Called at each report, by the thread that reports, with the number of new bytes. Several
  // threads may call it at the same time.
  using Listener = std::function<void(uint64_t bytes)>;

  // Never cancelled, and watched by nothing.
  Activity() : own_(std::in_place), cancel_(*own_) {}
  // `heartbeat` may be null.
  explicit Activity(const CancelToken& cancel, Heartbeat* heartbeat = nullptr,
                    Listener listener = nullptr)
      : cancel_(cancel), heartbeat_(heartbeat), listener_(std::move(listener)) {}
  // A part of `parent`: `listener` hears of the part, and then the parent's listener does.
  Activity(const Activity& parent, Listener listener)
      : parent_(&parent),
        cancel_(parent.cancel_),
        heartbeat_(parent.heartbeat_),
        listener_(std::move(listener)) {}
  // A part of `parent` that ends with another token.
  Activity(const Activity& parent, const CancelToken& cancel)
      : parent_(&parent), cancel_(cancel), heartbeat_(parent.heartbeat_) {}
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;

  // Some work is done, and `bytes` have moved that never moved before. A sign of life.
  absl::Status Moved(uint64_t bytes) const;
  // Some work is done: a file was removed, or bytes were read or moved once more. A sign of life.
  absl::Status Worked() const { return Moved(0); }
  // Nothing has been done since the last report. Call it about every second of a wait.
  absl::Status Continue() const;

  const CancelToken& cancel() const { return cancel_; }
  Heartbeat* heartbeat() const { return heartbeat_; }  // may be null

 private:
  absl::Status Tell(uint64_t bytes) const;

  const Activity* const parent_ = nullptr;
  const std::optional<CancelToken> own_;
  const CancelToken& cancel_;
  Heartbeat* const heartbeat_ = nullptr;
  const Listener listener_;
};

}  // namespace sparkles
