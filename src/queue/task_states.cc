#include "queue/task_states.h"

#include <utility>

#include "base/status.h"
#include "queue/state_log.h"
#include "queue/task_table.h"

namespace sparkles {
namespace {

TaskState StateOf(const FileTask& task, const TaskRecord& record) {
  TaskState state;
  state.task_id = task.task.id;
  state.status = record.status;
  state.owner = record.owner;
  state.exit_code = record.exit_code;
  state.failure_reason = record.failure_reason;
  state.attempts = CountClaims(record.history);
  for (const HistoryEntry& entry : record.history) {
    state.last_changed = entry.timestamp;
    if (entry.status == WireName(TaskStatus::kClaimed)) state.last_claimed = entry.timestamp;
  }
  return state;
}

}  // namespace

absl::StatusOr<std::vector<TaskState>> ReadStates(const std::string& tasks_path,
                                                  std::vector<FileTask> tasks,
                                                  std::vector<std::string>* damage) {
  TaskTable table(std::move(tasks));
  auto log = StateLog::OpenToRead(StatePathOf(tasks_path), table);
  if (!log.ok() && !absl::IsNotFound(log.status())) return log.status();
  if (log.ok() && damage != nullptr) *damage = log->TakeDamageReports();
  std::vector<TaskState> states;
  states.reserve(table.size());
  for (size_t i = 0; i < table.size(); ++i) {
    states.push_back(StateOf(table.task(i), table.record(i)));
  }
  for (const size_t position : table.claimed()) {
    ASSIGN_OR_RETURN(const bool alive, log->IsTaskLocked(states[position].task_id));
    states[position].abandoned = !alive;
  }
  return states;
}

}  // namespace sparkles
