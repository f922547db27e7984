#include "monitor/health.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace sparkles {
namespace {

// Collects metrics in Prometheus' text format.
class MetricsWriter {
 public:
  void Describe(absl::string_view name, absl::string_view type, absl::string_view help) {
    absl::StrAppend(&text_, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
  }

  // `labels` is like "{a=\"b\"}", or empty.
  template <typename Number>
  void Add(absl::string_view name, absl::string_view labels, Number value) {
    absl::StrAppend(&text_, name, labels, " ", value, "\n");
  }

  void AddCounter(absl::string_view name, absl::string_view help, const Counter& counter) {
    Describe(name, "counter", help);
    Add(name, "", counter.value());
  }

  void AddHistogram(absl::string_view name, absl::string_view call, const Histogram& histogram) {
    const std::string label = absl::StrCat("call=\"", call, "\"");
    uint64_t below = 0;
    for (size_t i = 0; i < Histogram::kBounds.size(); ++i) {
      below += histogram.bucket(i);
      Add(absl::StrCat(name, "_bucket"),
          absl::StrCat("{", label, ",le=\"", Histogram::kBounds[i], "\"}"), below);
    }
    // Another thread may add a value meanwhile, and the count must not be less than the buckets.
    const uint64_t count = histogram.count();
    Add(absl::StrCat(name, "_bucket"), absl::StrCat("{", label, ",le=\"+Inf\"}"),
        count > below ? count : below);
    Add(absl::StrCat(name, "_sum"), absl::StrCat("{", label, "}"), histogram.sum_seconds());
    Add(absl::StrCat(name, "_count"), absl::StrCat("{", label, "}"), count > below ? count : below);
  }

  std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

void AddTasks(const Vitals& vitals, MetricsWriter& metrics) {
  metrics.AddCounter("sparkles_tasks_claimed_total", "Tasks that were claimed.", vitals.claimed);
  constexpr char kName[] = "sparkles_tasks_total";
  metrics.Describe(kName, "counter", "Ends of tasks that were recorded in the queue, by outcome.");
  metrics.Add(kName, "{outcome=\"complete\"}", vitals.complete.value());
  metrics.Add(kName, "{outcome=\"failed\"}", vitals.failed.value());
  metrics.Add(kName, "{outcome=\"killed\"}", vitals.killed.value());
  metrics.Add(kName, "{outcome=\"handed_back\"}", vitals.handed_back.value());
  metrics.Add(kName, "{outcome=\"claim_lost\"}", vitals.claim_lost.value());
  metrics.Describe("sparkles_task_running", "gauge", "1 while a task runs.");
  metrics.Add("sparkles_task_running", "", vitals.task_running ? 1 : 0);
  metrics.AddCounter("sparkles_machine_faults_total",
                     "Tasks that were handed back because of a machine fault.",
                     vitals.machine_faults);
}

void AddTransfers(const Vitals& vitals, MetricsWriter& metrics) {
  constexpr char kBytes[] = "sparkles_transfer_bytes_total";
  metrics.Describe(kBytes, "counter", "Transferred bytes of inputs, outputs, logs and results.");
  metrics.Add(kBytes, "{direction=\"download\"}", vitals.bytes_downloaded.value());
  metrics.Add(kBytes, "{direction=\"upload\"}", vitals.bytes_uploaded.value());
  metrics.AddCounter("sparkles_transfers_failed_total", "Transfers that ended with an error.",
                     vitals.transfers_failed);
  constexpr char kLogs[] = "sparkles_log_sends_total";
  metrics.Describe(kLogs, "counter", "Sends of logs of running tasks.");
  metrics.Add(kLogs, "{kind=\"whole\"}", vitals.logs_sent_whole.value());
  metrics.Add(kLogs, "{kind=\"part\"}", vitals.log_parts_sent.value());
  const CheckpointCounters& checkpoints = vitals.checkpoints;
  metrics.AddCounter("sparkles_checkpoint_saves_total", "Saves of checkpoints.", checkpoints.saves);
  metrics.AddCounter("sparkles_checkpoint_save_failures_total",
                     "Saves of checkpoints that failed, at least for some files.",
                     checkpoints.save_failures);
  metrics.AddCounter("sparkles_checkpoint_restored_bytes_total",
                     "Bytes of checkpoints that were restored.", checkpoints.restored_bytes);
  constexpr char kRetries[] = "sparkles_retries_total";
  metrics.Describe(kRetries, "counter", "Retries of requests.");
  metrics.Add(kRetries, "{service=\"storage\"}", vitals.storage_retries.value());
  metrics.Add(kRetries, "{service=\"datastore\"}", vitals.datastore_retries.value());
  constexpr char kCache[] = "sparkles_cache_lookups_total";
  metrics.Describe(kCache, "counter", "Lookups of inputs in the cache.");
  metrics.Add(kCache, "{result=\"hit\"}", vitals.cache_hits.value());
  metrics.Add(kCache, "{result=\"miss\"}", vitals.cache_misses.value());
}

void AddQueue(const Vitals& vitals, MetricsWriter& metrics) {
  constexpr char kSeconds[] = "sparkles_queue_call_seconds";
  metrics.Describe(kSeconds, "histogram", "Duration of calls to the queue.");
  metrics.AddHistogram(kSeconds, "claim", vitals.claim_time);
  metrics.AddHistogram(kSeconds, "end", vitals.end_time);
  metrics.AddCounter("sparkles_queue_errors_total", "Calls to the queue without an answer.",
                     vitals.queue_errors);
  constexpr char kAnswered[] = "sparkles_queue_last_answer_timestamp_seconds";
  metrics.Describe(kAnswered, "gauge", "Time of the last answer of the queue, or 0.");
  metrics.Add(kAnswered, "", vitals.queue_answered_ms.load() / 1000);
}

}  // namespace

std::string MetricsText(const HealthFacts& facts) {
  const Vitals& vitals = facts.vitals;
  MetricsWriter metrics;
  metrics.Describe("sparkles_build_info", "gauge", "Always 1; the label has the version.");
  metrics.Add("sparkles_build_info", absl::StrCat("{version=\"", facts.version, "\"}"), 1);
  AddTasks(vitals, metrics);
  AddTransfers(vitals, metrics);
  AddQueue(vitals, metrics);
  metrics.AddCounter("sparkles_watchdog_stalls_total", "Stalls that the watchdog noticed.",
                     vitals.watchdog_stalls);
  metrics.Describe("sparkles_stalled", "gauge", "1 during a stall.");
  metrics.Add("sparkles_stalled", "", vitals.stalled ? 1 : 0);
  return std::move(metrics).text();
}

HealthAnswer AnswerHealth(absl::string_view path, const HealthFacts& facts) {
  const Vitals& vitals = facts.vitals;
  if (path == "/metrics") return {200, MetricsText(facts)};
  if (path == "/healthz") {
    if (vitals.stalled) return {503, "stalled: the worker gives no sign of life\n"};
    return {200, "ok\n"};
  }
  if (path != "/readyz") return {404, "unknown path: use /healthz, /readyz or /metrics\n"};
  if (facts.stopping) return {503, "stopping: the worker claims no more tasks\n"};
  if (vitals.machine_unfit) {
    return {503, "unfit machine: the worker claims no task (its log has the reason)\n"};
  }
  if (!facts.queue_is_remote) return {200, "ok\n"};
  const int64_t answered = vitals.queue_answered_ms;
  if (answered == 0) return {503, "the queue has not answered yet\n"};
  const absl::Duration age = facts.now - absl::FromUnixMillis(answered);
  if (age <= kRecentAnswer) return {200, "ok\n"};
  return {503, absl::StrCat("the queue has not answered for ", absl::ToInt64Seconds(age), " s\n")};
}

std::string SummaryLine(const Vitals& vitals) {
  const auto bytes = [](const Counter& counter) {
    return HumanBytes(static_cast<double>(counter.value()));
  };
  return absl::StrCat(
      "summary: claimed ", vitals.claimed.value(), ", complete ", vitals.complete.value(),
      ", failed ", vitals.failed.value(), ", killed ", vitals.killed.value(), ", handed back ",
      vitals.handed_back.value(), ", lost ", vitals.claim_lost.value(), "; downloaded ",
      bytes(vitals.bytes_downloaded), ", uploaded ", bytes(vitals.bytes_uploaded), "; cache hits ",
      vitals.cache_hits.value(), ", misses ", vitals.cache_misses.value(), "; retries ",
      vitals.storage_retries.value() + vitals.datastore_retries.value(), ", queue errors ",
      vitals.queue_errors.value(), ", machine faults ", vitals.machine_faults.value(), ", stalls ",
      vitals.watchdog_stalls.value());
}

}  // namespace sparkles
