// Writes the summary as one JSON object.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "summary/report_fields.h"
#include "summary/summary_report.h"

namespace sparkles {
namespace {

using AddNumber = Fields& (Fields::*)(const char* name, std::optional<double> number);

std::string JsonOf(const Distribution& of, AddNumber add) {
  Fields fields;
  fields.Json("tasks", absl::StrCat(of.count));
  const auto add_value = [&](const char* name, double value) {
    (fields.*add)(name, of.count > 0 ? std::optional(value) : std::nullopt);
  };
  add_value("min", of.min);
  add_value("median", of.median);
  add_value("p95", of.p95);
  add_value("max", of.max);
  return fields.ToJson();
}

std::string ListOf(const std::vector<std::string>& elements) {
  return absl::StrCat("[", absl::StrJoin(elements, ","), "]");
}

std::string MachinesOf(const Statistics& statistics) {
  std::vector<std::string> list;
  for (const MachineGroup& group : statistics.machines) {
    list.push_back(Fields()
                       .Text("machine_type", group.machine.type)
                       .Integer("cpus", group.machine.cpus)
                       .Integer("memory_bytes", group.machine.memory_bytes)
                       .Json("tasks", absl::StrCat(group.tasks))
                       .ToJson());
  }
  return ListOf(list);
}

std::string FailuresOf(const Report& report) {
  std::vector<std::string> list;
  for (const Group& group : report.statistics.failures) {
    const TaskRow& example = report.rows[group.first];
    list.push_back(Fields()
                       .Text("cause", group.key)
                       .Json("tasks", absl::StrCat(group.count))
                       .Text("example_task_id", example.id)
                       .Text("example_reason", ReasonOf(example))
                       .ToJson());
  }
  return ListOf(list);
}

std::string StatisticsOf(const Report& report) {
  const Statistics& statistics = report.statistics;
  std::vector<std::string> statuses;
  for (const Group& group : statistics.statuses) {
    statuses.push_back(
        Fields().Text("status", group.key).Json("tasks", absl::StrCat(group.count)).ToJson());
  }
  return Fields()
      .Json("tasks", absl::StrCat(report.rows.size()))
      .Json("statuses", ListOf(statuses))
      .Json("wall_seconds", JsonOf(statistics.wall_seconds, &Fields::Number))
      .Json("cpus_used", JsonOf(statistics.cpus_used, &Fields::Number))
      .Json("peak_memory_bytes", JsonOf(statistics.peak_memory_bytes, &Fields::Integer))
      .Json("machines", MachinesOf(statistics))
      .Json("failures", FailuresOf(report))
      .ToJson();
}

std::string AdviceOf(const Advice& advice) {
  const int fit = advice.tasks_at_a_time;
  return Fields()
      .Text("text", advice.text)
      .Number("needed_cpus", advice.cpus)
      .Integer("needed_memory_bytes", advice.memory_bytes)
      .Integer("tasks_at_a_time", fit > 0 ? std::optional<double>(fit) : std::nullopt)
      .ToJson();
}

}  // namespace

std::string FormatJson(const Report& report) {
  std::string text = "{\"tasks\":[";
  bool first = true;
  for (const size_t index : report.shown) {
    absl::StrAppend(&text, first ? "\n" : ",\n", FieldsOf(report.rows[index]).ToJson());
    first = false;
  }
  absl::StrAppend(&text, "\n],\n\"statistics\":", StatisticsOf(report),
                  ",\n\"advice\":", AdviceOf(report.advice), "}\n");
  return text;
}

}  // namespace sparkles
