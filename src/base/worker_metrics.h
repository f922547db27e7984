// Counts what the worker does, for its metrics.
// The counts may be in memory that processes share, so they are atomics without locks and pointers.
// A worker has one WorkerMetrics object, which its parts borrow. The numbers are independent: a
// reader can see one change before an earlier change of another number.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "base/current_task.h"
#include "base/gpu_gauges.h"
#include "base/heartbeat.h"

namespace sparkles {

// Thread-safe, and cheap enough to call for every piece of a transfer.
class Counter {
 public:
  void Add(uint64_t amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_ = 0;
};

// Counts durations in classes, as Prometheus does. Thread-safe.
class Histogram {
 public:
  // Upper bounds of the classes, in seconds. A longer duration is in no class.
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
  void Add(const Histogram& other) {
    for (size_t i = 0; i < kBounds.size(); ++i) counts_[i].Add(other.counts_[i].value());
    count_.Add(other.count_.value());
    micros_.Add(other.micros_.value());
  }
  // The number of durations above kBounds[i - 1] and up to kBounds[i].
  uint64_t bucket(size_t i) const { return counts_[i].value(); }
  uint64_t count() const { return count_.value(); }
  double sum_seconds() const { return static_cast<double>(micros_.value()) / 1e6; }

 private:
  std::array<Counter, kBounds.size()> counts_;
  Counter count_;
  Counter micros_;
};

// Of the checkpoints of all tasks.
struct CheckpointCounters {
  Counter saves;  // manifests that were written
  Counter save_failures;
  Counter restored_bytes;
};

struct WorkerMetrics {
  Heartbeat heartbeat;
  CurrentTask current_task;

  // Tasks whose claim or end the queue has recorded.
  Counter claimed;
  Counter complete;
  Counter failed;
  Counter killed;
  Counter handed_back;
  Counter claim_lost;  // the result was dropped
  Counter machine_faults;
  std::atomic<int> tasks_running = 0;
  std::atomic<bool> machine_unfit = false;  // true while the worker claims no task for this reason

  // Bytes of content. Bytes that are sent again count once.
  Counter bytes_downloaded;
  Counter bytes_uploaded;
  Counter transfers_failed;

  // Sends of logs of running tasks (ObjectStore::Append).
  Counter logs_sent_whole;
  Counter log_parts_sent;

  // Repeated requests.
  Counter storage_retries;
  Counter datastore_retries;

  Counter cache_hits;
  Counter cache_misses;

  Histogram claim_time;  // of calls of ClaimOne, with and without a task
  Histogram end_time;    // of calls of Finish and HandBack
  Counter queue_errors;
  // Unix time of the last answer of the queue, in milliseconds; 0 if there is none yet.
  std::atomic<int64_t> queue_answered_ms = 0;

  CheckpointCounters checkpoints;

  GpuGauges gpus;  // while a command runs

  Counter watchdog_stalls;
  std::atomic<bool> stalled = false;  // true during a stall

  // Adds the counts of `part`, one of several workers, and takes its later times and larger samples
  // of GPUs, because all workers of a machine sample the same GPUs. Leaves the heartbeat,
  // `machine_unfit` and `stalled` as they are.
  void Add(const WorkerMetrics& part);
};

}  // namespace sparkles
