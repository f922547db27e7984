// The tasks file of local mode (--tasksFile): a JSON array of tasks, or JSON Lines (a task a line).
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"
#include "queue/task_entry.h"

namespace sparkles {

// A bad entry is a problem, not an error: the other tasks run.
struct TasksFile {
  std::vector<FileTask> tasks;  // in the file's order; each id once
  // Messages such as `tasks[3] (task_id "x.4"): args: is missing or empty`, in the file's order.
  // Entries of an array are counted from 0, lines from 1. A task without a usable id, or with the
  // id, result, log or output prefix of an earlier task, is listed only here.
  std::vector<std::string> problems;
};

// Parses the text of one tasks file, and the lines that are appended to it later.
class TasksParser {
 public:
  // `text` is the whole file. InvalidArgument if it is neither a JSON array nor JSON Lines.
  absl::StatusOr<TasksFile> ParseAll(absl::string_view text);
  // `text` follows the first parsed_bytes() of JSON Lines.
  TasksFile ParseMore(absl::string_view text);

  bool is_lines() const { return is_lines_; }
  // The whole array, or all JSON Lines before an unfinished last line.
  size_t parsed_bytes() const { return parsed_bytes_; }
  // InvalidArgument if the last line has no line end and is no complete JSON object.
  const absl::Status& last_line() const { return last_line_; }

 private:
  // `number` is the entry's: from 0 in an array, from 1 in lines.
  void AddEntry(const Json& entry, size_t number, TasksFile& file);
  void AddLine(absl::string_view line, TasksFile& file);
  // `tasks[3]` or `line 4`.
  std::string EntryName(size_t number) const;
  // A message if another task has one of these places; else takes them and returns "".
  std::string TakePlaces(const TaskPlaces& places, size_t number);

  bool is_lines_ = false;
  size_t parsed_bytes_ = 0;
  size_t line_number_ = 1;  // of the first line that is not parsed
  size_t entries_ = 0;
  absl::Status last_line_;
  std::map<std::string, size_t> entry_of_id_;
  std::map<std::string, size_t> entry_of_object_;  // by URL: logs and results
  std::map<std::string, size_t> entry_of_outputs_;
};

absl::StatusOr<TasksFile> ParseTasksFile(absl::string_view text);

// The text of the file `path`. FailedPrecondition if `path` is not a regular file, or is too long
// for a list of tasks. Errors name the path.
absl::StatusOr<std::string> ReadTasksText(const std::string& path);

// Reads and parses the file. An unfinished last line is a problem. Errors name the path.
absl::StatusOr<TasksFile> ReadTasksFile(const std::string& path);

}  // namespace sparkles
