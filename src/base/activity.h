// Reports progress and signs of life of a piece of work, and says whether the work must stop.
// Completed work is a sign of life for the watchdog. A wait is not, so that stuck work is noticed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "base/cancel.h"
#include "base/heartbeat.h"

namespace sparkles {

// Passed by reference from a whole task down to each piece of a transfer. Each report returns
// Cancelled, with the token's reason, if the work must stop. Thread-safe. Borrows all parameters of
// its constructors except the listener.
class Activity {
 public:
  // Called at each report, on the thread that reports, with the number of new bytes. Several
  // threads may call it at the same time.
  using Listener = std::function<void(uint64_t bytes)>;

  // Is never cancelled and has no heartbeat.
  Activity() : own_(std::in_place), cancel_(*own_) {}
  // `heartbeat` may be null.
  explicit Activity(const CancelToken& cancel, Heartbeat* heartbeat = nullptr,
                    Listener listener = nullptr)
      : cancel_(cancel), heartbeat_(heartbeat), listener_(std::move(listener)) {}
  // A part of `parent`. Each report goes to `listener`, then to the listener of `parent`.
  Activity(const Activity& parent, Listener listener)
      : parent_(&parent),
        cancel_(parent.cancel_),
        heartbeat_(parent.heartbeat_),
        listener_(std::move(listener)) {}
  // A part of `parent` with a token of its own. The token of `parent` does not stop it.
  Activity(const Activity& parent, const CancelToken& cancel)
      : parent_(&parent), cancel_(cancel), heartbeat_(parent.heartbeat_) {}
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;

  // Reports work and `bytes`, which were not transferred before. A sign of life.
  absl::Status ReportBytes(uint64_t bytes) const;
  // Reports work without new bytes: a removed file, bytes read or transferred again. A sign of
  // life.
  absl::Status ReportWork() const { return ReportBytes(0); }
  // Reports a wait, about once a second, or only asks whether to stop. No sign of life.
  absl::Status ReportWait() const;

  const CancelToken& cancel() const { return cancel_; }
  Heartbeat* heartbeat() const { return heartbeat_; }  // may be null

 private:
  absl::Status Report(uint64_t bytes) const;

  const Activity* const parent_ = nullptr;
  const std::optional<CancelToken> own_;
  const CancelToken& cancel_;
  Heartbeat* const heartbeat_ = nullptr;
  const Listener listener_;
};

}  // namespace sparkles
