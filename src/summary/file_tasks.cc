#include "summary/file_tasks.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "queue/task_states.h"
#include "queue/tasks_file.h"
#include "task/task.h"
#include "task/task_spec.h"

namespace sparkles {
namespace {

std::string ResultUrlOf(const Task& task) {
  std::string url = ParseResultPlaces(task.args).command_result_url;
  return url.empty() ? task.command_result_url : url;
}

TaskRow RowOf(TaskState state) {
  TaskRow row;
  row.id = std::move(state.task_id);
  row.status = state.abandoned ? "abandoned" : std::string(WireName(state.status));
  row.exit_code = std::move(state.exit_code);
  row.failure_reason = std::move(state.failure_reason);
  return row;
}

}  // namespace

absl::StatusOr<FileTasks> ReadFileTasks(const std::string& tasks_file) {
  ASSIGN_OR_RETURN(TasksFile file, ReadTasksFile(tasks_file));
  FileTasks result;
  for (const std::string& problem : file.problems) {
    result.problems.push_back(absl::StrCat(tasks_file, ": ", problem));
  }
  std::vector<std::string> urls;
  urls.reserve(file.tasks.size());
  for (const FileTask& task : file.tasks) urls.push_back(ResultUrlOf(task.task));
  std::vector<std::string> damage;
  ASSIGN_OR_RETURN(std::vector<TaskState> states,
                   ReadStates(tasks_file, std::move(file.tasks), &damage));
  result.problems.insert(result.problems.end(), damage.begin(), damage.end());
  result.rows.reserve(states.size());
  for (size_t i = 0; i < states.size(); ++i) {
    TaskRow row = RowOf(std::move(states[i]));
    if (HasResult(row)) row.result_url = std::move(urls[i]);
    result.rows.push_back(std::move(row));
  }
  return result;
}

}  // namespace sparkles
