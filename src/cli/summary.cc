// summary: what became of the tasks of a file, as a table for people.
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <iostream>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/commands.h"
#include "queue/task_states.h"
#include "storage/local_store.h"
#include "storage/store_router.h"
#include "task/task_spec.h"
#include "worker/exit_code.h"

namespace sparkles {
namespace {

using Row = std::vector<std::string>;

// result.json lists every output; a million of them fit in this.
constexpr size_t kMaxResultBytes = 512 << 20;

// The number at `json[keys[0]][keys[1]]...`; 0 if that is none, or none that can be meant.
double NumberAt(const Json& json, std::initializer_list<const char*> keys) {
  constexpr double kMost = 1e15;
  const Json* value = &json;
  for (const char* key : keys) {
    const auto found = value->find(key);  // the end, where there are no keys
    if (found == value->end()) return 0;
    value = &*found;
  }
  const double number = value->is_number() ? value->get<double>() : 0;
  return std::abs(number) <= kMost ? number : 0;
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

Row RowOf(const TaskState& state, const Json& result) {
  Row row = {state.task_id, state.abandoned ? "abandoned" : std::string(WireName(state.status)),
             state.exit_code.empty() ? "-" : state.exit_code};
  if (IsFinal(state.status) && result.is_object() && result.contains("resource_usage")) {
    const Json& usage = result["resource_usage"];
    double cpu = 0;
    for (const char* time : {"user_cpu_time", "system_cpu_time"}) {
      cpu += NumberAt(usage, {time, "Sec"}) + NumberAt(usage, {time, "Usec"}) / 1e6;
    }
    row.push_back(absl::StrFormat("%.2f s", NumberAt(usage, {"elapsed_time"})));
    row.push_back(absl::StrFormat("%.2f s", cpu));
    row.push_back(HumanBytes(NumberAt(usage, {"max_memory_size"}) * 1024));
  } else {
    row.insert(row.end(), {"-", "-", "-"});
  }
  const auto files = result.is_object() ? result.find("files") : result.end();
  const bool listed = result.is_object() && files != result.end() && files->is_array();
  row.push_back(listed && IsFinal(state.status) ? absl::StrCat(files->size()) : "-");
  row.push_back(PrintableText(CutText(state.failure_reason, 200)));
  return row;
}

void Print(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows.front().size(), 0);
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppendFormat(&line, "%-*s  ", static_cast<int>(widths[i]), row[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::cout << line << "\n";
  }
}

}  // namespace

int RunSummary(const SummaryOptions& options) {
  auto file = ReadTasksFile(options.tasks_file);
  const auto states = file.ok() ? ReadStates(options.tasks_file, file->tasks)
                                : absl::StatusOr<std::vector<TaskState>>(file.status());
  if (!states.ok()) {
    std::cerr << "sparklesworker summary: " << states.status().message() << "\n";
    return kExitTasksFile;
  }
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
