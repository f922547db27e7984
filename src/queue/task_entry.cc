#include "queue/task_entry.h"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/file_url.h"
#include "base/status.h"
#include "base/text.h"
#include "task/task_spec.h"

namespace sparkles {
namespace {

// Datastore's limit for the name of a key, because the tasks may be submitted to a cluster later.
constexpr size_t kMaxIdBytes = 1500;

absl::Status PropertyError(absl::string_view key, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat(key, ": ", reason));
}

// Empty if absent.
absl::StatusOr<std::string> ReadText(const Json& entry, const char* key) {
  ASSIGN_OR_RETURN(std::string text, ReadJsonText(entry, key));
  if (HasControlCharacter(text)) return PropertyError(key, "holds a control character");
  return text;
}

absl::StatusOr<std::string> ReadArgs(const Json& entry) {
  const Json* args = JsonValue(entry, "args");
  if (args != nullptr && args->is_object()) return DumpJson(*args);
  if (args != nullptr && !args->is_string()) {
    return PropertyError("args", "must be a JSON object or a string");
  }
  // ReadText would refuse the line ends that JSON text may have.
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
  const Json* index = JsonValue(entry, "task_index");
  if (index == nullptr) return std::string();
  if (index->is_number_unsigned()) return absl::StrCat(index->get<uint64_t>());
  if (index->is_string() && IsNumber(index->get_ref<const std::string&>())) {
    return index->get<std::string>();
  }
  return PropertyError("task_index", "must be a number that is not negative");
}

// Sets `property`, or adds the error to `problems`.
void Take(absl::StatusOr<std::string> value, std::string& property,
          std::vector<std::string>& problems) {
  if (value.ok()) {
    property = *std::move(value);
  } else {
    problems.emplace_back(value.status().message());
  }
}

// Returns all problems.
std::vector<std::string> ReadProperties(const Json& entry, size_t position, Task& task) {
  std::vector<std::string> problems;
  Take(ReadText(entry, "job_id"), task.job_id, problems);
  Take(ReadIndex(entry), task.index, problems);
  const size_t dot = task.id.rfind('.');
  const bool has_job = dot != std::string::npos && dot > 0 && IsNumber(task.id.substr(dot + 1));
  if (task.job_id.empty()) task.job_id = has_job ? task.id.substr(0, dot) : task.id;
  if (task.index.empty()) {
    task.index = has_job ? task.id.substr(dot + 1) : absl::StrCat(position + 1);
  }
  Take(ReadText(entry, "command_result_url"), task.command_result_url, problems);
  Take(ReadText(entry, "log_url"), task.log_url, problems);
  Take(ReadArgs(entry), task.args, problems);
  return problems;
}

}  // namespace

bool operator==(const FileTask& a, const FileTask& b) {
  const auto fields = [](const FileTask& task) {
    const Task& of = task.task;
    return std::tie(of.id, of.job_id, of.index, of.args, of.command_result_url, of.log_url,
                    task.problem);
  };
  return fields(a) == fields(b);
}

absl::StatusOr<std::string> ReadTaskId(const Json& entry) {
  if (!entry.is_object()) return absl::InvalidArgumentError("must be a JSON object");
  ASSIGN_OR_RETURN(std::string id, ReadText(entry, "task_id"));
  if (id.empty() && entry.contains("command") && !entry.contains("args")) {
    return absl::InvalidArgumentError(
        "is the spec of a task; write {\"task_id\": NAME, \"args\": SPEC}");
  }
  if (id.empty()) return PropertyError("task_id", "is missing or empty");
  if (id.size() > kMaxIdBytes) {
    return PropertyError("task_id", absl::StrCat("is longer than ", kMaxIdBytes, " bytes"));
  }
  return id;
}

FileTask ReadFileTask(const Json& entry, std::string id, size_t position) {
  FileTask task;
  task.task.id = std::move(id);
  task.problem = absl::StrJoin(ReadProperties(entry, position, task.task), "; ");
  return task;
}

TaskPlaces PlacesOf(const Json& entry, const Task& task) {
  const Json* args = JsonValue(entry, "args");
  const bool is_object = args != nullptr && args->is_object();
  TaskSpec spec = is_object ? FindResultPlaces(*args) : ParseResultPlaces(task.args);
  if (spec.command_result_url.empty()) spec.command_result_url = task.command_result_url;
  if (spec.stdout_url.empty()) spec.stdout_url = task.log_url;
  TaskPlaces places = {CanonicalUrl(spec.command_result_url), CanonicalUrl(spec.stdout_url), ""};
  if (!spec.include_patterns.empty()) places.outputs = CanonicalUrl(spec.upload_url);
  return places;
}

}  // namespace sparkles
