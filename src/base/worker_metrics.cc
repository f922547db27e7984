#include "base/worker_metrics.h"

#include <algorithm>

namespace sparkles {

void WorkerMetrics::Add(const WorkerMetrics& part) {
  constexpr Counter WorkerMetrics::* kCounters[] = {
      &WorkerMetrics::claimed,         &WorkerMetrics::complete,
      &WorkerMetrics::failed,          &WorkerMetrics::killed,
      &WorkerMetrics::handed_back,     &WorkerMetrics::claim_lost,
      &WorkerMetrics::machine_faults,  &WorkerMetrics::bytes_downloaded,
      &WorkerMetrics::bytes_uploaded,  &WorkerMetrics::transfers_failed,
      &WorkerMetrics::logs_sent_whole, &WorkerMetrics::log_parts_sent,
      &WorkerMetrics::storage_retries, &WorkerMetrics::datastore_retries,
      &WorkerMetrics::cache_hits,      &WorkerMetrics::cache_misses,
      &WorkerMetrics::queue_errors,    &WorkerMetrics::watchdog_stalls,
  };
  for (const auto counter : kCounters) (this->*counter).Add((part.*counter).value());
  constexpr Counter CheckpointCounters::* kCheckpointCounters[] = {
      &CheckpointCounters::saves, &CheckpointCounters::save_failures,
      &CheckpointCounters::restored_bytes};
  for (const auto counter : kCheckpointCounters) {
    (checkpoints.*counter).Add((part.checkpoints.*counter).value());
  }
  claim_time.Add(part.claim_time);
  end_time.Add(part.end_time);
  tasks_running += part.tasks_running;
  for (size_t i = 0; i < gpus.size(); ++i) gpus[i].TakeLarger(part.gpus[i]);
  queue_answered_ms = std::max(queue_answered_ms.load(), part.queue_answered_ms.load());
}

}  // namespace sparkles
