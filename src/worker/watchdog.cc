#include "worker/watchdog.h"

#include <utility>

#include "base/thread.h"

namespace sparkles {

StallDetector::Finding StallDetector::Observe(uint64_t beats) {
  if (beats != last_beats_) {
    const bool ends = silence_ >= period_;
    last_beats_ = beats;
    silence_ = absl::ZeroDuration();
    return ends ? Finding::kStallEnds : Finding::kAlive;
  }
  const absl::Duration before = silence_;
  silence_ += interval_;
  if (silence_ < period_) return Finding::kAlive;
  if (before < period_) return Finding::kStallBegins;
  return silence_ >= 2 * period_ && before < 2 * period_ ? Finding::kStuck : Finding::kStalled;
}

Watchdog::Watchdog(absl::Duration period, Clock& clock, WorkerMetrics& metrics,
                   WatchdogActions actions)
    : period_(period),
      interval_(period / 16),
      clock_(clock),
      metrics_(metrics),
      actions_(std::move(actions)),
      thread_(StartHousekeeping("watchdog", [this] { Watch(); })) {}

Watchdog::~Watchdog() {
  done_.Cancel(CancelKind::kAbort, "");
  thread_.join();
}

void Watchdog::Watch() {
  StallDetector detector(period_, interval_);
  absl::Time began;
  while (clock_.Sleep(interval_, done_)) {
    switch (detector.Observe(metrics_.heartbeat.beats())) {
      case StallDetector::Finding::kStallBegins:
        began = clock_.Now() - period_;
        metrics_.stalled = true;
        metrics_.watchdog_stalls.Add();
        actions_.on_stall();
        break;
      case StallDetector::Finding::kStallEnds:
        metrics_.stalled = false;
        actions_.on_recovery(clock_.Now() - began);
        break;
      case StallDetector::Finding::kStuck:
        actions_.on_stuck();
        break;
      case StallDetector::Finding::kAlive:
      case StallDetector::Finding::kStalled:
        break;
    }
  }
}

}  // namespace sparkles
