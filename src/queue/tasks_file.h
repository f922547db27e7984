// Parses a tasks file (--tasksFile): a JSON array of tasks, or JSON Lines with one task per line.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"
#include "queue/task_entry.h"

namespace sparkles {

// The content of a tasks file. A bad entry is listed as a problem, and the other tasks run.
struct TasksFile {
  std::vector<FileTask> tasks;  // in the file's order; ids are unique
  // Messages such as `tasks[3] (task_id "x.4"): args: is missing or empty`, in the file's order.
  // Array entries are counted from 0, lines from 1. A task without a usable id, or with the id,
  // result, log or output prefix of an earlier task, is not in `tasks`.
  std::vector<std::string> problems;
};

// Returns the problems of a task's spec. A worker reads the spec only when it runs the task.
using SpecCheck = std::function<std::vector<std::string>(const Task& task)>;

// Parses the text of one tasks file, and the lines that are appended to it later.
class TasksParser {
 public:
  // Without `check_spec` (null), specs are not examined.
  explicit TasksParser(SpecCheck check_spec = nullptr) : check_spec_(std::move(check_spec)) {}

  // `text` is the whole file. InvalidArgument if it is neither a JSON array nor JSON Lines.
  absl::StatusOr<TasksFile> ParseAll(absl::string_view text);
  // `text` follows the first parsed_bytes() of JSON Lines.
  TasksFile ParseMore(absl::string_view text);

  bool is_lines() const { return is_lines_; }
  // The number of bytes of the array, or of all JSON Lines before an incomplete last line.
  size_t parsed_bytes() const { return parsed_bytes_; }
  // InvalidArgument if the last line has no line end and is not a complete JSON object.
  const absl::Status& last_line() const { return last_line_; }

 private:
  // `number` is the number of the entry: from 0 in an array, from 1 in lines.
  void AddEntry(const Json& entry, size_t number, TasksFile& file);
  void AddLine(absl::string_view line, TasksFile& file);
  // Passes each problem of the spec to `report`.
  void ReportSpec(const Task& task, absl::FunctionRef<void(absl::string_view)> report) const;
  // `tasks[3]` or `line 4`.
  std::string EntryName(size_t number) const;
  // Returns a message if another task has one of these places. Otherwise reserves them and returns
  // "".
  std::string ReservePlaces(const TaskPlaces& places, size_t number);

  SpecCheck check_spec_;
  bool is_lines_ = false;
  size_t parsed_bytes_ = 0;
  size_t line_number_ = 1;  // of the next line to parse
  size_t entries_ = 0;
  absl::Status last_line_;
  std::map<std::string, size_t> entry_of_id_;
  std::map<std::string, size_t> entry_of_object_;  // by URL of a log or result
  std::map<std::string, size_t> entry_of_outputs_;
};

absl::StatusOr<TasksFile> ParseTasksFile(absl::string_view text, SpecCheck check_spec = nullptr);

// Reads the text of the file `path`. FailedPrecondition if `path` is not a regular file or is too
// long. Errors name the path.
absl::StatusOr<std::string> ReadTasksText(const std::string& path);

// Reads and parses the file. An incomplete last line is a problem. Errors name the path.
absl::StatusOr<TasksFile> ReadTasksFile(const std::string& path, SpecCheck check_spec = nullptr);

}  // namespace sparkles
