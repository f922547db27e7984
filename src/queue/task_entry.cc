#include "queue/task_entry.h"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/file_url.h"
#include "base/status.h"
#include "base/text.h"
#include "task/task_spec.h"

namespace sparkles {
namespace {

// The limit for a key's name in Datastore: the same tasks may be submitted there later.
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
  // Not ReadText, which refuses line ends: JSON text may have them.
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
  const absl::Status status = ReadProperties(entry, position, task.task);
  task.problem = std::string(status.message());
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
