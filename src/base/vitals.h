// What the worker tells of itself while it works: signs of life and counts. One object of the
// composition root, borrowed by those who have something to tell; no order between its numbers.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "base/thread.h"

namespace sparkles {

// Thread-safe and cheap enough for every piece of a transfer.
class Counter {
 public:
  void Add(uint64_t amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_ = 0;
};

// Signs of life for the watchdog. Code that makes progress beats, and so does code that waits for
// something without a limit (a command, an empty queue, the next attempt).
class Heartbeat {
 public:
  // Counts only on threads that do the work (base/thread.h).
  void Beat() {
    if (!OnHousekeepingThread()) beats_.Add();
  }
  uint64_t beats() const { return beats_.value(); }

 private:
  Counter beats_;
};

// How long something took, as Prometheus counts it. Thread-safe.
class Histogram {
 public:
  // Upper bounds in seconds; what is longer than the last is in none.
  static constexpr std::array<double, 9> kBounds = {0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100};

  void Add(absl::Duration duration) {
    const double seconds = absl::ToDoubleSeconds(duration);
    for (size_t i = 0; i < kBounds.size(); ++i) {
      if (seconds <= kBounds[i]) {
        counts_[i].Add();
        break;
      }
    }
    count_.Add();
    const int64_t micros = absl::ToInt64Microseconds(duration);
    micros_.Add(micros > 0 ? static_cast<uint64_t>(micros) : 0);
  }
  // Of those up to kBounds[i] and above the bound before.
  uint64_t bucket(size_t i) const { return counts_[i].value(); }
  uint64_t count() const { return count_.value(); }
  double sum_seconds() const { return static_cast<double>(micros_.value()) / 1e6; }

 private:
  std::array<Counter, kBounds.size()> counts_;
  Counter count_;
  Counter micros_;
};

struct Vitals {
  Heartbeat heartbeat;

  // Tasks, by what the queue has taken from us.
  Counter claimed;
  Counter complete;
  Counter failed;
  Counter killed;
  Counter handed_back;
  Counter claim_lost;  // the result was dropped
  Counter machine_faults;
  std::atomic<bool> task_running = false;
  std::atomic<bool> machine_unfit = false;  // now: nothing is claimed

  // Content that has moved, repeated bytes not counted twice.
  Counter bytes_downloaded;
  Counter bytes_uploaded;
  Counter transfers_failed;

  // Requests sent once more.
  Counter storage_retries;
  Counter datastore_retries;

  Counter cache_hits;
  Counter cache_misses;

  Histogram claim_time;  // of calls to the queue, found or not
  Histogram end_time;    // finish and hand-back
  Counter queue_errors;
  // Unix time of the last answer of the queue, whatever it was; 0: none yet.
  std::atomic<int64_t> queue_answered_ms = 0;

  Counter watchdog_stalls;
  std::atomic<bool> stalled = false;  // now
};

}  // namespace sparkles
