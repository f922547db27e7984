#include "task/task_result.h"

#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

OrderedJson CpuTime(absl::Duration time) {
  const int64_t microseconds = absl::ToInt64Microseconds(time);
  return {{"Sec", microseconds / 1'000'000}, {"Usec", microseconds % 1'000'000}};
}

double UnixSeconds(absl::Time time) { return absl::ToDoubleSeconds(time - absl::UnixEpoch()); }

OrderedJson UsageOf(const CommandRun& run) {
  return {{"user_cpu_time", CpuTime(run.usage.user_cpu)},
          {"system_cpu_time", CpuTime(run.usage.system_cpu)},
          {"max_memory_size", run.usage.max_rss_kb},
          // Linux does not count these two. The Go worker writes zeros, too.
          {"shared_memory_size", 0},
          {"unshared_memory_size", 0},
          {"block_input_ops", run.usage.block_input_ops},
          {"block_output_ops", run.usage.block_output_ops},
          {"start_time", UnixSeconds(run.start)},
          {"end_time", UnixSeconds(run.end)},
          {"elapsed_time", absl::ToDoubleSeconds(run.end - run.start)},
          {"read_bytes", run.usage.read_bytes},
          {"write_bytes", run.usage.write_bytes},
          {"peak_processes", run.usage.peak_processes},
          {"peak_memory_size", run.usage.peak_rss_kb}};
}

OrderedJson GpusOf(const std::vector<GpuUsage>& gpus) {
  OrderedJson list = OrderedJson::array();
  for (const GpuUsage& gpu : gpus) {
    OrderedJson json = {{"index", gpu.index}, {"name", gpu.name}};
    if (gpu.memory_total) json["memory_total"] = *gpu.memory_total;
    if (gpu.max_memory_used) json["max_memory_used"] = *gpu.max_memory_used;
    if (gpu.max_gpu_percent_usage) json["max_gpu_percent_usage"] = *gpu.max_gpu_percent_usage;
    if (gpu.median_gpu_percent_usage) {
      json["median_gpu_percent_usage"] = *gpu.median_gpu_percent_usage;
    }
    json["samples"] = gpu.samples;
    list.push_back(std::move(json));
  }
  return list;
}

OrderedJson StatsOf(const MachineStats& machine) {
  OrderedJson stats = {{"machine_type", machine.machine_type},
                       {"memory_total", machine.memory_total},
                       {"number_of_cpus", machine.number_of_cpus},
                       {"max_memory_in_use", machine.max_memory_in_use},
                       {"p95_memory_in_use", machine.p95_memory_in_use},
                       {"median_memory_in_use", machine.median_memory_in_use},
                       {"max_user_cpu_percent_usage", machine.max_user_cpu_percent_usage},
                       {"p95_user_cpu_percent_usage", machine.p95_user_cpu_percent_usage},
                       {"median_user_cpu_percent_usage", machine.median_user_cpu_percent_usage},
                       {"samples", machine.samples}};
  if (machine.least_free.known) stats["min_disk_free"] = machine.least_free.bytes;
  if (!machine.gpus.empty()) stats["gpus"] = GpusOf(machine.gpus);
  return stats;
}

// Formats one file after another, because ten thousand files would take many megabytes as JSON
// values.
std::string FilesText(const std::vector<DeliveredFile>& files) {
  std::string text = "[";
  for (const DeliveredFile& file : files) {
    if (text.size() > 1) text += ',';
    text += DumpJson(OrderedJson{{"src", file.src},
                                 {"dst_url", file.dst_url},
                                 {"size", file.size},
                                 {"crc32c", file.crc32c},
                                 {"generation", file.generation}});
  }
  return text + "]";
}

OrderedJson SkippedOf(const std::vector<SkippedFile>& files) {
  OrderedJson list = OrderedJson::array();
  for (const SkippedFile& file : files) {
    list.push_back({{"src", file.src}, {"reason", file.reason}});
  }
  return list;
}

OrderedJson CheckpointOf(const CheckpointUse& use) {
  OrderedJson json = OrderedJson::object();
  if (use.restored_from_attempt) json["restored_from_attempt"] = *use.restored_from_attempt;
  json["saved_at"] = UnixSeconds(use.saved_at);
  json["files"] = use.files;
  json["bytes"] = use.bytes;
  json["saves"] = use.saves;
  return json;
}

}  // namespace

std::string FormatTaskResult(const TaskResult& result) {
  OrderedJson before_files = {{"command", result.command}};
  if (!result.parameters.empty()) before_files["parameters"] = result.parameters;
  if (result.run) before_files["return_code"] = result.run->return_code;
  OrderedJson after_files = OrderedJson::object();
  if (result.run) {
    after_files["resource_usage"] = UsageOf(*result.run);
    after_files["machine_stats"] = StatsOf(result.run->machine);
    if (const auto& cause = result.run->cause) {
      after_files["cause"] = {{"kind", cause->kind}, {"detail", cause->detail}};
    }
  }
  if (!result.failure_reason.empty()) after_files["failure_reason"] = result.failure_reason;
  if (!result.skipped.empty()) after_files["skipped"] = SkippedOf(result.skipped);
  if (!result.unmatched_patterns.empty()) {
    after_files["unmatched_patterns"] = result.unmatched_patterns;
  }
  if (result.checkpoint) after_files["checkpoint"] = CheckpointOf(*result.checkpoint);
  std::string text = DumpJson(before_files);
  text.pop_back();  // the closing brace, because more keys follow
  absl::StrAppend(&text, ",\"files\":", FilesText(result.files), after_files.empty() ? "}" : ",");
  if (!after_files.empty()) text += DumpJson(after_files).substr(1);
  return text;
}

}  // namespace sparkles
