#include "summary/summary_report.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "summary/table.h"
#include "summary/words.h"

namespace sparkles {
namespace {

// A reason may quote a whole task spec.
constexpr size_t kMaxReasonBytes = 200;
constexpr size_t kMaxGroups = 20;
constexpr size_t kMaxMachines = 5;

std::string CellsOf(const TaskRow& row) {
  const TaskUse& use = row.use;
  return absl::StrCat(PrintableText(row.id), "\t", PrintableText(row.status), "\t",
                      row.exit_code.empty() ? "-" : PrintableText(row.exit_code), "\t",
                      SecondsText(use.wall_seconds), "\t", CpusText(CpusUsed(use)), "\t",
                      BytesText(use.peak_memory_bytes), "\t",
                      use.outputs ? absl::StrCat(*use.outputs) : "-", "\t",
                      PrintableText(CutText(ReasonOf(row), kMaxReasonBytes)));
}

std::string TasksOf(const Report& report, size_t width) {
  constexpr char kHeader[] = "TASK\tSTATUS\tEXIT\tWALL\tCPU\tPEAK MEMORY\tOUTPUTS\tREASON";
  constexpr size_t kTask = 0;
  constexpr size_t kReason = 7;
  TableLayout layout;
  layout.Measure(kHeader);
  for (const size_t index : report.shown) layout.Measure(CellsOf(report.rows[index]));
  if (width > 0) layout.CutTo(width, {kTask, kReason});
  std::string text;
  layout.AppendLine(kHeader, text);
  for (const size_t index : report.shown) layout.AppendLine(CellsOf(report.rows[index]), text);
  return text;
}

std::string CountsOf(const Report& report) {
  std::vector<std::string> counts;
  for (const Group& group : report.statistics.statuses) {
    counts.push_back(absl::StrCat(group.count, " ", PrintableText(group.key)));
  }
  return absl::StrCat(TasksText(report.rows.size()), counts.empty() ? "" : ": ",
                      absl::StrJoin(counts, ", "), "\n");
}

std::string DistributionsOf(const Statistics& statistics, size_t width) {
  std::vector<std::string> lines = {"\tMIN\tMEDIAN\tP95\tMAX\tTASKS"};
  const auto add = [&lines](const char* name, const Distribution& of,
                            std::string (*text_of)(std::optional<double>)) {
    if (of.count == 0) return;
    lines.push_back(absl::StrCat(name, "\t", text_of(of.min), "\t", text_of(of.median), "\t",
                                 text_of(of.p95), "\t", text_of(of.max), "\t", of.count));
  };
  add("WALL", statistics.wall_seconds, SecondsText);
  add("CPU", statistics.cpus_used, CpusText);
  add("PEAK MEMORY", statistics.peak_memory_bytes, BytesText);
  return lines.size() == 1 ? "" : absl::StrCat("\n", FormatLines(lines, width, {}));
}

std::string MachinesOf(const Statistics& statistics) {
  std::string text;
  size_t listed = 0;
  size_t others = 0;
  for (const MachineGroup& group : statistics.machines) {
    if (++listed > kMaxMachines) {
      others += group.tasks;
      continue;
    }
    absl::StrAppend(&text, "Machine: ", MachineText(group.machine), " (", TasksText(group.tasks),
                    ")\n");
  }
  if (others > 0) absl::StrAppend(&text, "Other machines: ", TasksText(others), "\n");
  return text.empty() ? "" : absl::StrCat("\n", text);
}

std::string FailuresOf(const Report& report, size_t width) {
  const std::vector<Group>& groups = report.statistics.failures;
  if (groups.empty()) return "";
  std::vector<std::string> lines = {"COUNT\tCAUSE OF FAILURE\tEXAMPLE"};
  size_t others = 0;
  for (const Group& group : groups) {
    if (lines.size() > kMaxGroups) {
      others += group.count;
      continue;
    }
    const TaskRow& example = report.rows[group.first];
    const std::string reason = ReasonOf(example);
    lines.push_back(absl::StrCat(group.count, "\t",
                                 PrintableText(CutText(group.key, kMaxReasonBytes)), "\t",
                                 PrintableText(example.id), reason.empty() ? "" : ": ",
                                 PrintableText(CutText(reason, kMaxReasonBytes))));
  }
  if (others > 0) lines.push_back(absl::StrCat(others, "\tother causes\t"));
  return absl::StrCat("\n", FormatLines(lines, width, {1, 2}));
}

}  // namespace

Report MakeReport(std::vector<TaskRow> rows, const RowChoice& choice) {
  Report report;
  report.rows = std::move(rows);
  report.shown = ChooseRows(report.rows, choice);
  report.statistics = ComputeStatistics(report.rows);
  report.advice = Advise(report.rows, report.statistics);
  return report;
}

std::string FormatTable(const Report& report, size_t width) {
  return absl::StrCat(TasksOf(report, width), "\n", CountsOf(report),
                      DistributionsOf(report.statistics, width), MachinesOf(report.statistics),
                      report.advice.text, "\n", FailuresOf(report, width));
}

}  // namespace sparkles
