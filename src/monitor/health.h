// Reports the worker's state: to health checks, to Prometheus, and in the last line of the log.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/worker_metrics.h"
#include "monitor/health_server.h"

namespace sparkles {

struct HealthFacts {
  const WorkerMetrics& metrics;
  absl::Time now;
  std::string version;
  bool stopping = false;        // the worker claims no more tasks
  bool queue_is_remote = true;  // false for a tasks file, which needs no recent answer
};

// The worker is not ready if the last answer of the queue is older than this. An idle worker calls
// the queue every few seconds, and a running task every 15 s.
inline constexpr absl::Duration kRecentAnswer = absl::Minutes(2);

// Answers "/healthz" (503 during a stall), "/readyz" (503 if the worker stops, if the machine is
// unfit, or if the queue has not answered within kRecentAnswer) and "/metrics". Otherwise 404.
HealthAnswer AnswerHealth(absl::string_view path, const HealthFacts& facts);

// All metrics in the text format of Prometheus.
std::string MetricsText(const HealthFacts& facts);

// The most important metrics in one readable line.
std::string SummaryLine(const WorkerMetrics& metrics);

}  // namespace sparkles
