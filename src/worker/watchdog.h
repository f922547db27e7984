// Notices stalls, and calls actions at their start, at their end and after two periods.
// docs/wire-contract.md describes the watchdog.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <thread>

#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/worker_metrics.h"

namespace sparkles {

// Detects stalls from a regularly observed count of heartbeats.
// The silence is the number of observations without a new beat, and not the time between two beats.
// A process or machine that was frozen is not stuck: a freeze costs only one observation.
class StallDetector {
 public:
  enum class Finding { kAlive, kStallBegins, kStalled, kStallEnds, kStuck };

  // Observations are `interval` apart. kStallBegins after `period` without a beat, kStuck after two
  // periods, each once in a stall.
  StallDetector(absl::Duration period, absl::Duration interval)
      : period_(period), interval_(interval) {}

  Finding Observe(uint64_t beats);

 private:
  const absl::Duration period_;
  const absl::Duration interval_;
  std::optional<uint64_t> last_beats_;
  absl::Duration silence_;
};

struct WatchdogActions {
  // Called on the watchdog's thread. They may block.
  std::function<void()> on_stall;                          // a stall has begun
  std::function<void(absl::Duration lasted)> on_recovery;  // the stall has ended, after `lasted`
  std::function<void()> on_stuck;  // two periods have passed; may return only in tests
};

// Watches on its own thread from construction to destruction.
class Watchdog {
 public:
  // Borrows `clock` and `metrics`. Notices a stall up to a sixteenth of a period late. Throws
  // std::system_error if the system refuses the thread.
  Watchdog(absl::Duration period, Clock& clock, WorkerMetrics& metrics, WatchdogActions actions);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void Watch();

  const absl::Duration period_;
  const absl::Duration interval_;
  Clock& clock_;
  WorkerMetrics& metrics_;
  const WatchdogActions actions_;
  CancelToken done_;
  std::thread thread_;
};

}  // namespace sparkles
