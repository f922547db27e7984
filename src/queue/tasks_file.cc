#include "queue/tasks_file.h"

#include <sys/stat.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/file.h"
#include "base/status.h"
#include "base/text.h"

namespace sparkles {
namespace {

// Far more than any list of tasks needs. Protects the memory from a wrong path.
constexpr size_t kMaxFileBytes = size_t{256} * 1024 * 1024;
constexpr absl::string_view kBlanks = " \t\r\n";
constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr absl::string_view kExpected =
    "must be a JSON array of tasks, or JSON Lines (one task a line)";

bool IsBlank(absl::string_view text) {
  return text.find_first_not_of(kBlanks) == absl::string_view::npos;
}

// A message for a file in a known wrong format, or empty.
absl::string_view WrongFormat(absl::string_view text) {
  if (absl::StartsWith(text, "\xFF\xFE") || absl::StartsWith(text, "\xFE\xFF")) {
    return "is UTF-16; save it as UTF-8";
  }
  if (absl::StartsWith(text, "\x1F\x8B")) return "is compressed with gzip; unpack it first";
  return "";
}

// A message for a JSON value that is not a list of tasks.
std::string WrongValue(const Json& value) {
  if (value.is_object() && value.contains("command") && !value.contains("args")) {
    return absl::StrCat("is the spec of a task; ", kExpected);
  }
  if (value.is_object() && value.contains("tasks") && value["tasks"].is_array()) {
    return absl::StrCat("has its array of tasks in \"tasks\"; write only the array");
  }
  if (value.is_object() && value.contains("task_id")) {
    return "is a task over several lines; put it into [ ], or on one line";
  }
  return std::string(kExpected);
}

// Parses one line. Errors name only the column.
absl::StatusOr<Json> ParseLine(absl::string_view line) {
  auto json = ParseJson(line);
  if (json.ok()) return json;
  return WithMessage(json.status(),
                     absl::StrReplaceAll(json.status().message(), {{"at line 1, ", "at "}}));
}

// True for JSON Lines: the first line that is not blank is a complete JSON object.
bool IsLines(absl::string_view text) {
  const size_t start = text.find_first_not_of(kBlanks);
  if (start == absl::string_view::npos || text[start] != '{') return false;
  const absl::string_view line = text.substr(start, text.find('\n', start) - start);
  const auto first = ParseJson(line);
  if (!first.ok() || !first->is_object()) return false;
  const bool only = IsBlank(text.substr(start + line.size()));
  return !only || first->contains("task_id");
}

}  // namespace

absl::StatusOr<TasksFile> TasksParser::ParseAll(absl::string_view text) {
  *this = TasksParser(std::move(check_spec_));
  if (const absl::string_view wrong = WrongFormat(text); !wrong.empty()) {
    return absl::InvalidArgumentError(wrong);
  }
  const size_t mark = absl::StartsWith(text, kByteOrderMark) ? kByteOrderMark.size() : 0;
  is_lines_ = IsLines(text.substr(mark));
  if (is_lines_) {
    parsed_bytes_ = mark;
    return ParseMore(text.substr(mark));
  }
  ASSIGN_OR_RETURN(const Json json, ParseJson(text));
  if (!json.is_array()) return absl::InvalidArgumentError(WrongValue(json));
  TasksFile file;
  for (const Json& entry : json) AddEntry(entry, entries_, file);
  parsed_bytes_ = text.size();
  return file;
}

TasksFile TasksParser::ParseMore(absl::string_view text) {
  TasksFile file;
  last_line_ = absl::OkStatus();
  size_t start = 0;
  for (size_t end; (end = text.find('\n', start)) != absl::string_view::npos; start = end + 1) {
    AddLine(text.substr(start, end - start), file);
    ++line_number_;
  }
  // An incomplete object cannot be parsed, so a line that can be parsed is complete.
  const absl::string_view rest = text.substr(start);
  if (!IsBlank(rest)) {
    const auto last = ParseLine(rest);
    if (last.ok() && last->is_object()) {
      AddLine(rest, file);
      start = text.size();
    } else {
      last_line_ = absl::InvalidArgumentError(
          absl::StrCat("line ", line_number_, ": is not complete: it has no line end, and ",
                       last.ok() ? "is not a JSON object" : last.status().message()));
    }
  }
  parsed_bytes_ += start;
  return file;
}

void TasksParser::AddLine(absl::string_view line, TasksFile& file) {
  if (IsBlank(line)) return;
  const auto json = ParseLine(line);
  if (json.ok()) return AddEntry(*json, line_number_, file);
  ++entries_;
  file.problems.push_back(absl::StrCat(EntryName(line_number_), ": ", json.status().message()));
}

std::string TasksParser::EntryName(size_t number) const {
  return is_lines_ ? absl::StrCat("line ", number) : absl::StrCat("tasks[", number, "]");
}

void TasksParser::AddEntry(const Json& entry, size_t number, TasksFile& file) {
  const size_t position = entries_++;
  const auto report = [&](absl::string_view name, absl::string_view problem) {
    file.problems.push_back(absl::StrCat(EntryName(number), name, ": ", problem));
  };
  // For an entry that is not a task of the file.
  const auto report_rest = [&](absl::string_view name) {
    if (!entry.is_object() || !entry.contains("args")) return;
    const FileTask task = ReadFileTask(entry, "", position);
    if (!task.problem.empty()) report(name, task.problem);
    ReportSpec(task.task, [&](absl::string_view problem) { report(name, problem); });
  };
  const auto id = ReadTaskId(entry);
  if (!id.ok()) {
    report("", id.status().message());
    return report_rest("");
  }
  const std::string name = absl::StrCat(" (task_id \"", *id, "\")");
  const auto [first, is_new] = entry_of_id_.emplace(*id, number);
  if (!is_new) {
    report(name, absl::StrCat("task_id: is already used by ", EntryName(first->second)));
    return report_rest(name);
  }
  FileTask task = ReadFileTask(entry, *id, position);
  if (task.problem.empty()) {
    const std::string taken = ReservePlaces(PlacesOf(entry, task.task), number);
    if (!taken.empty()) return report(name, taken);
  } else {
    report(name, task.problem);
  }
  ReportSpec(task.task, [&](absl::string_view problem) { report(name, problem); });
  file.tasks.push_back(std::move(task));
}

void TasksParser::ReportSpec(const Task& task,
                             absl::FunctionRef<void(absl::string_view)> report) const {
  if (!check_spec_ || task.args.empty()) return;
  for (const std::string& problem : check_spec_(task)) report(problem);
}

std::string TasksParser::ReservePlaces(const TaskPlaces& places, size_t number) {
  struct Place {
    absl::string_view field;
    const std::string& url;
    std::map<std::string, size_t>& taken;
  };
  const Place all[] = {{"command_result_url", places.result, entry_of_object_},
                       {"stdout_url", places.log, entry_of_object_},
                       {"uploads.dst_url", places.outputs, entry_of_outputs_}};
  for (const Place& place : all) {
    const auto other = place.taken.find(place.url);
    if (place.url.empty() || other == place.taken.end()) continue;
    return absl::StrCat(place.field, ": ", PrintableText(place.url), " is already used by ",
                        EntryName(other->second));
  }
  for (const Place& place : all) {
    if (!place.url.empty()) place.taken.emplace(place.url, number);
  }
  return "";
}

absl::StatusOr<TasksFile> ParseTasksFile(absl::string_view text, SpecCheck check_spec) {
  TasksParser parser(std::move(check_spec));
  auto file = parser.ParseAll(text);
  if (file.ok() && !parser.last_line().ok()) {
    file->problems.push_back(std::string(parser.last_line().message()));
  }
  return file;
}

absl::StatusOr<std::string> ReadTasksText(const std::string& path) {
  struct stat info;
  const bool found = stat(path.c_str(), &info) == 0;
  if (found && S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": is a directory, not a tasks file"));
  }
  if (found && !S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path,
                     ": is a pipe or device; write the tasks to a file: workers read it "
                     "again, and keep their state beside it"));
  }
  return ReadFile(path, kMaxFileBytes);
}

absl::StatusOr<TasksFile> ReadTasksFile(const std::string& path, SpecCheck check_spec) {
  ASSIGN_OR_RETURN(const std::string text, ReadTasksText(path));
  auto file = ParseTasksFile(text, std::move(check_spec));
  if (!file.ok()) return Annotate(file.status(), path);
  return file;
}

}  // namespace sparkles
