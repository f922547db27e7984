#include "monitor/health.h"

#include <atomic>
#include <cstddef>
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

void AddTasks(const WorkerMetrics& metrics, MetricsWriter& writer) {
  writer.AddCounter("sparkles_tasks_claimed_total", "Tasks that were claimed.", metrics.claimed);
  constexpr char kName[] = "sparkles_tasks_total";
  writer.Describe(kName, "counter", "Ends of tasks that were recorded in the queue, by outcome.");
  writer.Add(kName, "{outcome=\"complete\"}", metrics.complete.value());
  writer.Add(kName, "{outcome=\"failed\"}", metrics.failed.value());
  writer.Add(kName, "{outcome=\"killed\"}", metrics.killed.value());
  writer.Add(kName, "{outcome=\"handed_back\"}", metrics.handed_back.value());
  writer.Add(kName, "{outcome=\"claim_lost\"}", metrics.claim_lost.value());
  writer.Describe("sparkles_task_running", "gauge", "Number of running tasks.");
  writer.Add("sparkles_task_running", "", metrics.tasks_running.load());
  writer.AddCounter("sparkles_machine_faults_total",
                    "Tasks that were handed back because of a machine fault.",
                    metrics.machine_faults);
}

void AddTransfers(const WorkerMetrics& metrics, MetricsWriter& writer) {
  constexpr char kBytes[] = "sparkles_transfer_bytes_total";
  writer.Describe(kBytes, "counter", "Transferred bytes of inputs, outputs, logs and results.");
  writer.Add(kBytes, "{direction=\"download\"}", metrics.bytes_downloaded.value());
  writer.Add(kBytes, "{direction=\"upload\"}", metrics.bytes_uploaded.value());
  writer.AddCounter("sparkles_transfers_failed_total", "Transfers that ended with an error.",
                    metrics.transfers_failed);
  constexpr char kLogs[] = "sparkles_log_sends_total";
  writer.Describe(kLogs, "counter", "Sends of logs of running tasks.");
  writer.Add(kLogs, "{kind=\"whole\"}", metrics.logs_sent_whole.value());
  writer.Add(kLogs, "{kind=\"part\"}", metrics.log_parts_sent.value());
  const CheckpointCounters& checkpoints = metrics.checkpoints;
  writer.AddCounter("sparkles_checkpoint_saves_total", "Saves of checkpoints.", checkpoints.saves);
  writer.AddCounter("sparkles_checkpoint_save_failures_total",
                    "Saves of checkpoints that failed, at least for some files.",
                    checkpoints.save_failures);
  writer.AddCounter("sparkles_checkpoint_restored_bytes_total",
                    "Bytes of checkpoints that were restored.", checkpoints.restored_bytes);
  constexpr char kRetries[] = "sparkles_retries_total";
  writer.Describe(kRetries, "counter", "Retries of requests.");
  writer.Add(kRetries, "{service=\"storage\"}", metrics.storage_retries.value());
  writer.Add(kRetries, "{service=\"datastore\"}", metrics.datastore_retries.value());
  constexpr char kCache[] = "sparkles_cache_lookups_total";
  writer.Describe(kCache, "counter", "Lookups of inputs in the cache.");
  writer.Add(kCache, "{result=\"hit\"}", metrics.cache_hits.value());
  writer.Add(kCache, "{result=\"miss\"}", metrics.cache_misses.value());
}

void AddQueue(const WorkerMetrics& metrics, MetricsWriter& writer) {
  constexpr char kSeconds[] = "sparkles_queue_call_seconds";
  writer.Describe(kSeconds, "histogram", "Duration of calls to the queue.");
  writer.AddHistogram(kSeconds, "claim", metrics.claim_time);
  writer.AddHistogram(kSeconds, "end", metrics.end_time);
  writer.AddCounter("sparkles_queue_errors_total", "Calls to the queue without an answer.",
                    metrics.queue_errors);
  constexpr char kAnswered[] = "sparkles_queue_last_answer_timestamp_seconds";
  writer.Describe(kAnswered, "gauge", "Time of the last answer of the queue, or 0.");
  writer.Add(kAnswered, "", metrics.queue_answered_ms.load() / 1000);
}

// One gauge of all GPUs for which `value` is known; nothing if there is none.
void AddGpuGauge(absl::string_view name, absl::string_view help, const GpuGauges& gpus,
                 std::atomic<int64_t> GpuGauge::* value, MetricsWriter& writer) {
  bool described = false;
  for (size_t i = 0; i < gpus.size(); ++i) {
    const int64_t number = gpus[i].*value;
    if (number == GpuGauge::kUnknown) continue;
    if (!described) writer.Describe(name, "gauge", help);
    described = true;
    writer.Add(name, absl::StrCat("{gpu=\"", i, "\"}"), number);
  }
}

void AddGpus(const GpuGauges& gpus, MetricsWriter& writer) {
  AddGpuGauge("sparkles_gpu_utilization_percent", "Utilization of the GPU.", gpus,
              &GpuGauge::utilization, writer);
  AddGpuGauge("sparkles_gpu_memory_used_bytes", "Memory of the GPU in use.", gpus,
              &GpuGauge::memory_used, writer);
  AddGpuGauge("sparkles_gpu_memory_total_bytes", "Memory of the GPU.", gpus,
              &GpuGauge::memory_total, writer);
}

}  // namespace

std::string MetricsText(const HealthFacts& facts) {
  const WorkerMetrics& metrics = facts.metrics;
  MetricsWriter writer;
  writer.Describe("sparkles_build_info", "gauge", "Always 1; the label has the version.");
  writer.Add("sparkles_build_info", absl::StrCat("{version=\"", facts.version, "\"}"), 1);
  AddTasks(metrics, writer);
  AddTransfers(metrics, writer);
  AddQueue(metrics, writer);
  AddGpus(metrics.gpus, writer);
  writer.AddCounter("sparkles_watchdog_stalls_total", "Stalls that the watchdog noticed.",
                    metrics.watchdog_stalls);
  writer.Describe("sparkles_stalled", "gauge", "1 during a stall.");
  writer.Add("sparkles_stalled", "", metrics.stalled ? 1 : 0);
  return std::move(writer).text();
}

HealthAnswer AnswerHealth(absl::string_view path, const HealthFacts& facts) {
  const WorkerMetrics& metrics = facts.metrics;
  if (path == "/metrics") return {200, MetricsText(facts)};
  if (path == "/healthz") {
    if (metrics.stalled) return {503, "stalled: the worker gives no sign of life\n"};
    return {200, "ok\n"};
  }
  if (path != "/readyz") return {404, "unknown path: use /healthz, /readyz or /metrics\n"};
  if (facts.stopping) return {503, "stopping: the worker claims no more tasks\n"};
  if (metrics.machine_unfit) {
    return {503, "unfit machine: the worker claims no task (its log has the reason)\n"};
  }
  if (!facts.queue_is_remote) return {200, "ok\n"};
  const int64_t answered = metrics.queue_answered_ms;
  if (answered == 0) return {503, "the queue has not answered yet\n"};
  const absl::Duration age = facts.now - absl::FromUnixMillis(answered);
  if (age <= kRecentAnswer) return {200, "ok\n"};
  return {503, absl::StrCat("the queue has not answered for ", absl::ToInt64Seconds(age), " s\n")};
}

std::string SummaryLine(const WorkerMetrics& metrics) {
  const auto bytes = [](const Counter& counter) {
    return HumanBytes(static_cast<double>(counter.value()));
  };
  return absl::StrCat(
      "summary: claimed ", metrics.claimed.value(), ", complete ", metrics.complete.value(),
      ", failed ", metrics.failed.value(), ", killed ", metrics.killed.value(), ", handed back ",
      metrics.handed_back.value(), ", lost ", metrics.claim_lost.value(), "; downloaded ",
      bytes(metrics.bytes_downloaded), ", uploaded ", bytes(metrics.bytes_uploaded),
      "; cache hits ", metrics.cache_hits.value(), ", misses ", metrics.cache_misses.value(),
      "; retries ", metrics.storage_retries.value() + metrics.datastore_retries.value(),
      ", queue errors ", metrics.queue_errors.value(), ", machine faults ",
      metrics.machine_faults.value(), ", stalls ", metrics.watchdog_stalls.value());
}

}  // namespace sparkles
