#include "queue/tasks_file.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"

namespace sparkles {
namespace {

// Far more than any list of tasks; it only keeps a mistaken path from filling the memory.
constexpr size_t kMaxFileBytes = size_t{256} * 1024 * 1024;
// The longest name of a key in Datastore, where the same tasks may go some day.
constexpr size_t kMaxIdBytes = 1500;

// Null if absent or null.
const Json* Find(const Json& entry, const char* key) {
  const auto found = entry.find(key);
  return found == entry.end() || found->is_null() ? nullptr : &*found;
}

absl::Status PropertyError(absl::string_view key, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat(key, ": ", reason));
}

// Empty if absent.
absl::StatusOr<std::string> ReadText(const Json& entry, const char* key) {
  const Json* value = Find(entry, key);
  if (value == nullptr) return std::string();
  if (!value->is_string()) return PropertyError(key, "must be a string");
  const std::string& text = value->get_ref<const std::string&>();
  if (HasControlCharacter(text)) return PropertyError(key, "holds a control character");
  return text;
}

absl::StatusOr<std::string> ReadId(const Json& entry) {
  if (!entry.is_object()) return absl::InvalidArgumentError("must be a JSON object");
  ASSIGN_OR_RETURN(std::string id, ReadText(entry, "task_id"));
  if (id.empty()) return PropertyError("task_id", "is missing or empty");
  if (id.size() > kMaxIdBytes) {
    return PropertyError("task_id", absl::StrCat("is longer than ", kMaxIdBytes, " bytes"));
  }
  return id;
}

absl::StatusOr<std::string> ReadArgs(const Json& entry) {
  const Json* args = Find(entry, "args");
  if (args != nullptr && args->is_object()) return DumpJson(*args);
  if (args != nullptr && !args->is_string()) {
    return PropertyError("args", "must be a JSON object or a string");
  }
  // Not ReadText: JSON text may be spread over lines.
  std::string text = args == nullptr ? "" : args->get<std::string>();
  if (text.empty()) return PropertyError("args", "is missing or empty");
  return text;
}

bool IsNumber(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
}

// An integer, as the client writes it, or a string of digits. Empty if absent.
absl::StatusOr<std::string> ReadIndex(const Json& entry) {
  const Json* index = Find(entry, "task_index");
  if (index == nullptr) return std::string();
  if (index->is_number_unsigned()) return absl::StrCat(index->get<uint64_t>());
  if (index->is_string() && IsNumber(index->get_ref<const std::string&>())) {
    return index->get<std::string>();
  }
  return PropertyError("task_index", "must be a number that is not negative");
}

// Fills in all but the id. `position` counts from 0.
absl::Status ReadProperties(const Json& entry, size_t position, Task& task) {
  ASSIGN_OR_RETURN(task.job_id, ReadText(entry, "job_id"));
  ASSIGN_OR_RETURN(task.index, ReadIndex(entry));
  const size_t dot = task.id.rfind('.');
  const bool has_job = dot != std::string::npos && dot > 0 && IsNumber(task.id.substr(dot + 1));
  if (task.job_id.empty()) task.job_id = has_job ? task.id.substr(0, dot) : task.id;
  if (task.index.empty()) {
    task.index = has_job ? task.id.substr(dot + 1) : absl::StrCat(position + 1);
  }
  ASSIGN_OR_RETURN(task.command_result_url, ReadText(entry, "command_result_url"));
  ASSIGN_OR_RETURN(task.log_url, ReadText(entry, "log_url"));
  ASSIGN_OR_RETURN(task.args, ReadArgs(entry));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TasksFile> ParseTasksFile(absl::string_view text) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(text));
  if (!json.is_array()) return absl::InvalidArgumentError("must be a JSON array of tasks");
  TasksFile file;
  std::map<std::string, size_t> position_of;
  for (size_t i = 0; i < json.size(); ++i) {
    const std::string entry_name = absl::StrCat("tasks[", i, "]");
    const auto id = ReadId(json[i]);
    if (!id.ok()) {
      file.problems.push_back(absl::StrCat(entry_name, ": ", id.status().message()));
      continue;
    }
    const std::string name = absl::StrCat(entry_name, " (task_id \"", *id, "\")");
    const auto [first, is_new] = position_of.emplace(*id, i);
    if (!is_new) {
      file.problems.push_back(
          absl::StrCat(name, ": task_id: is already used by tasks[", first->second, "]"));
      continue;
    }
    FileTask task;
    task.task.id = *id;
    if (const absl::Status status = ReadProperties(json[i], i, task.task); !status.ok()) {
      task.problem = std::string(status.message());
      file.problems.push_back(absl::StrCat(name, ": ", task.problem));
    }
    file.tasks.push_back(std::move(task));
  }
  return file;
}

absl::StatusOr<TasksFile> ReadTasksFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxFileBytes));
  auto file = ParseTasksFile(text);
  if (!file.ok()) return Annotate(file.status(), path);
  return file;
}

}  // namespace sparkles
