// What the worker says of itself to health checks, to Prometheus, and in its last line.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/vitals.h"
#include "monitor/health_server.h"

namespace sparkles {

struct HealthFacts {
  const Vitals& vitals;
  absl::Time now;
  std::string version;
  bool stopping = false;        // no more tasks are claimed
  bool queue_is_remote = true;  // a queue of this machine needs no proof that it can be reached
};

// An older answer of the queue does not prove that it can be reached: it is asked every few seconds
// while it is idle, and every 15 s during a task.
inline constexpr absl::Duration kRecentAnswer = absl::Minutes(2);

// The answers to "/healthz" (503 while the watchdog sees a stall), "/readyz" (503 unless the queue
// has answered within kRecentAnswer and the worker is not stopping) and "/metrics"; 404 otherwise.
HealthAnswer AnswerHealth(absl::string_view path, const HealthFacts& facts);

// All numbers in the text format of Prometheus.
std::string MetricsText(const HealthFacts& facts);

// The same numbers for people, in one line.
std::string SummaryLine(const Vitals& vitals);

}  // namespace sparkles
