// Notices that the work is stuck (docs/wire-contract.md section 6): says once a stall what every
// thread is doing, and after two periods gives up, so that the machine is replaced.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <thread>

#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/vitals.h"

namespace sparkles {

// What to make of a count of heartbeats that is looked at again and again.
// The one hard idea: silence is the sum of looks, not the time between two of them. A process or
// machine that was frozen was not stuck, and finds one look more, however long it slept.
class StallDetector {
 public:
  enum class Finding { kAlive, kStallBegins, kStalled, kStallEnds, kHopeless };

  // Looks are `interval` apart. kStallBegins after `period` without a beat, kHopeless after two,
  // once a stall each.
  StallDetector(absl::Duration period, absl::Duration interval)
      : period_(period), interval_(interval) {}

  Finding Look(uint64_t beats);

 private:
  const absl::Duration period_;
  const absl::Duration interval_;
  std::optional<uint64_t> last_beats_;
  absl::Duration silence_;
};

struct WatchdogActions {
  // All are called on the watchdog's thread, which they may block.
  std::function<void()> begin;                         // a stall begins
  std::function<void(absl::Duration lasted)> recover;  // it has ended
  std::function<void()> give_up;                       // two periods: may return, in a test
};

// From construction to destruction, on a thread of its own.
class Watchdog {
 public:
  // Borrows all but the actions. A stall is noticed up to a sixteenth of a period late.
  Watchdog(absl::Duration period, Clock& clock, Vitals& vitals, WatchdogActions actions);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void Watch();

  const absl::Duration period_;
  const absl::Duration interval_;
  Clock& clock_;
  Vitals& vitals_;
  const WatchdogActions actions_;
  CancelToken done_;
  std::thread thread_;
};

}  // namespace sparkles
