// summary: what became of the tasks of a file, as a table for people.
#include <algorithm>
#include <initializer_list>
#include <iostream>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/display_width.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/commands.h"
#include "queue/task_states.h"
#include "queue/tasks_file.h"
#include "storage/local_store.h"
#include "storage/store_router.h"
#include "task/task_spec.h"
#include "worker/exit_code.h"

namespace sparkles {
namespace {

using Row = std::vector<std::string>;

// result.json lists every output; a million of them fit in this.
constexpr size_t kMaxResultBytes = 512 << 20;

// The number at `json[keys[0]][keys[1]]...`; nullopt if there is no sensible number.
std::optional<double> NumberAt(const Json& json, std::initializer_list<const char*> keys) {
  constexpr double kMost = 1e15;
  const Json* value = &json;
  for (const char* key : keys) {
    value = JsonField(*value, key);
    if (value == nullptr) return std::nullopt;
  }
  if (!value->is_number()) return std::nullopt;
  const double number = value->get<double>();
  return number >= 0 && number <= kMost ? std::optional(number) : std::nullopt;
}

std::string SecondsText(std::optional<double> seconds) {
  return seconds ? absl::StrFormat("%.2f s", *seconds) : "-";
}

std::optional<double> CpuSeconds(const Json& usage) {
  double sum = 0;
  for (const char* time : {"user_cpu_time", "system_cpu_time"}) {
    const auto seconds = NumberAt(usage, {time, "Sec"});
    const auto microseconds = NumberAt(usage, {time, "Usec"});
    if (!seconds || !microseconds) return std::nullopt;
    sum += *seconds + *microseconds / 1e6;
  }
  return sum;
}

// result.json of the task; null if there is none (or none that can be read).
Json ResultOf(const Task& task, ObjectStore& store) {
  std::string url = task.command_result_url;
  const auto spec = ParseTaskSpec(task.args);
  if (spec.ok() && !spec->command_result_url.empty()) url = spec->command_result_url;
  if (url.empty()) return nullptr;
  const auto bytes = store.ReadBytes(url, kMaxResultBytes, {});
  if (!bytes.ok() || !bytes->has_value()) return nullptr;
  auto json = ParseJson(**bytes);
  return json.ok() && json->is_object() ? *std::move(json) : Json(nullptr);
}

// "no output matches a, b" if the result names such patterns; else empty.
std::string UnmatchedIn(const Json& result) {
  const Json* const patterns = JsonField(result, "unmatched_patterns");
  if (patterns == nullptr || !patterns->is_array()) return "";
  std::vector<std::string> names;
  for (const Json& pattern : *patterns) {
    if (pattern.is_string()) names.push_back(pattern.get<std::string>());
  }
  return names.empty() ? "" : absl::StrCat("no output matches ", absl::StrJoin(names, ", "));
}

Row RowOf(const TaskState& state, const Json& result) {
  static const Json kNone;
  const Json& ended = IsFinal(state.status) ? result : kNone;
  const auto member = [&ended](const char* key) -> const Json& {
    const Json* const found = JsonField(ended, key);
    return found == nullptr ? kNone : *found;
  };
  const Json& usage = member("resource_usage");
  const Json& files = member("files");
  const auto peak_kib = NumberAt(usage, {"max_memory_size"});
  const std::string remark =
      state.failure_reason.empty() ? UnmatchedIn(ended) : state.failure_reason;
  return {state.task_id,
          state.abandoned ? "abandoned" : std::string(WireName(state.status)),
          state.exit_code.empty() ? "-" : PrintableText(state.exit_code),
          SecondsText(NumberAt(usage, {"elapsed_time"})),
          SecondsText(CpuSeconds(usage)),
          peak_kib ? HumanBytes(*peak_kib * 1024) : "-",
          files.is_array() ? absl::StrCat(files.size()) : "-",
          PrintableText(CutText(remark, 200))};
}

void Print(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows.front().size(), 0);
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppend(&line, row[i], std::string(widths[i] - DisplayWidth(row[i]) + 2, ' '));
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::cout << line << "\n";
  }
}

}  // namespace

int RunSummary(const SummaryOptions& options) {
  constexpr char kName[] = "sparklesworker summary: ";
  auto file = ReadTasksFile(options.tasks_file);
  std::vector<std::string> damage;
  const auto states = file.ok() ? ReadStates(options.tasks_file, file->tasks, &damage)
                                : absl::StatusOr<std::vector<TaskState>>(file.status());
  if (!states.ok()) {
    std::cerr << kName << states.status().message() << "\n";
    return kExitTasksFile;
  }
  for (const std::string& problem : file->problems) {
    std::cerr << kName << options.tasks_file << ": " << problem << "\n";
  }
  for (const std::string& line : damage) std::cerr << kName << line << "\n";
  LocalStore local;
  StoreRouter store(local, nullptr);
  std::vector<Row> rows = {
      {"TASK", "STATUS", "EXIT", "WALL", "CPU", "PEAK MEMORY", "OUTPUTS", "REASON"}};
  for (size_t i = 0; i < states->size(); ++i) {
    rows.push_back(RowOf((*states)[i], ResultOf(file->tasks[i].task, store)));
  }
  Print(rows);
  return kExitDone;
}

}  // namespace sparkles
