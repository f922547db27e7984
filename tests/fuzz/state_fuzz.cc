// Fuzzes the readers of the state file and the tasks file, which a crash or an editor may damage. A
// file is refused or read; the content must survive being written.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "queue/state_line.h"
#include "queue/state_log.h"
#include "queue/task_table.h"
#include "queue/tasks_file.h"
#include "tests/fuzz/require.h"

namespace sparkles {
namespace {

constexpr char kTasks[] =
    R"([{"task_id": "job.1", "args": {"command": "true"}}, {"task_id": "job.2", "args": "{}"}])";

void CheckLine(absl::string_view line) {
  (void)CheckStateHeader(line);
  const absl::StatusOr<StateChange> change = ParseStateChange(line);
  if (!change.ok()) return;
  Require(!change->task_id.empty(), "a change is of a task");
  std::string again = FormatStateChange(*change);
  Require(!again.empty() && again.back() == '\n', "a line has an end");
  again.pop_back();
  Require(!absl::StrContains(again, '\n'), "a change is one line");
  const absl::StatusOr<StateChange> same = ParseStateChange(again);
  Require(same.ok() && same->task_id == change->task_id && same->status == change->status &&
              same->version == change->version && same->exit_code == change->exit_code,
          "a change survives being written");
}

void CheckTasksFile(absl::string_view input) {
  const absl::StatusOr<TasksFile> file = ParseTasksFile(input);
  if (!file.ok()) return;
  TaskTable table(file->tasks);
  Require(table.size() == file->tasks.size(), "no task is lost");
  Require(table.pending().size() == table.size(), "each is pending");
}

// Appended lines must be read like the lines of a whole file.
void CheckGrowth(absl::string_view input) {
  TasksParser grown;
  const auto first = grown.ParseAll(input.substr(0, input.find('\n') + 1));
  if (!first.ok() || !grown.is_lines()) return;
  const TasksFile more = grown.ParseMore(input.substr(grown.parsed_bytes()));
  TasksParser whole;
  const auto all = whole.ParseAll(input);
  Require(all.ok() && whole.is_lines(), "lines stay lines");
  Require(first->tasks.size() + more.tasks.size() == all->tasks.size(), "the same tasks");
  Require(first->problems.size() + more.problems.size() == all->problems.size(), "and problems");
  Require(grown.parsed_bytes() == whole.parsed_bytes(), "and the same rest");
}

// Reads `content` as FILE.state, with and without the header.
void CheckFile(absl::string_view content) {
  static const std::string path = [] {
    std::string name = "/tmp/sparkles-state-fuzz-XXXXXX";
    close(mkstemp(name.data()));
    return name;
  }();
  Require(WriteFileAtomically(path, content, /*durable=*/false).ok(), "the temp file is writable");
  TaskTable table(ParseTasksFile(kTasks)->tasks);
  const size_t all = table.size();
  const auto log = StateLog::OpenToRead(path, table);
  Require(table.size() == all && table.pending().size() + table.claimed().size() <= all,
          "each task has one state");
  unlink(path.c_str());
}

void Check(absl::string_view input) {
  for (const absl::string_view line : absl::StrSplit(input, '\n')) CheckLine(line);
  CheckTasksFile(input);
  CheckGrowth(input);
  CheckFile(input);
  CheckFile(FormatStateHeader() + std::string(input));
}

}  // namespace
}  // namespace sparkles

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sparkles::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
