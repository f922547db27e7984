#include "doctor/tasks_file_check.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/activity.h"
#include "base/cancel.h"
#include "executor/spec_reader.h"
#include "queue/tasks_file.h"
#include "storage/local_store.h"
#include "storage/object_url.h"
#include "task/spec_problems.h"
#include "task/task_spec.h"

namespace sparkles {
namespace {

// The problems of the URLs in a spec that ParseTaskSpec accepts.
std::vector<std::string> FindUrlProblems(const TaskSpec& spec) {
  std::vector<std::string> problems;
  const auto note = [&](const std::string& field, const std::string& url, bool is_directory) {
    if (url.empty()) return;
    const absl::Status status = is_directory ? CheckDirectoryUrl(url) : CheckObjectUrl(url);
    if (!status.ok()) problems.push_back(absl::StrCat(field, ": ", status.message()));
  };
  for (size_t i = 0; i < spec.downloads.size(); ++i) {
    note(absl::StrCat("downloads[", i, "].src_url"), spec.downloads[i].src_url, false);
  }
  note("uploads.dst_url", spec.upload_url, true);
  note("command_result_url", spec.command_result_url, false);
  note("stdout_url", spec.stdout_url, false);
  return problems;
}

}  // namespace

std::vector<std::string> FindTaskProblems(const Task& task) {
  const std::string args(absl::StripAsciiWhitespace(task.args));
  if (absl::StartsWith(args, "gs://") || absl::StartsWith(args, "file://")) {
    const absl::Status status = CheckObjectUrl(args);
    if (status.ok()) return {};
    return {absl::StrCat("args: ", status.message())};
  }
  std::vector<std::string> problems = FindSpecProblems(args);
  if (!problems.empty()) return problems;
  const absl::StatusOr<TaskSpec> spec = ParseTaskSpec(args);
  if (!spec.ok()) return {std::string(spec.status().message())};
  problems = FindUrlProblems(*spec);
  if (!problems.empty()) return problems;
  // The worker's own check also compares the places of the results. It reads nothing from the
  // store.
  LocalStore store(/*durable=*/false, nullptr);
  const absl::Status read = ReadSpec(task, store, Activity()).status;
  if (!read.ok()) problems.emplace_back(read.message());
  return problems;
}

void CheckTasksFile(const std::string& path, const CancelToken& cancel, Findings& findings) {
  constexpr char kRemedy[] = "correct the file; docs/tasks-file.md describes the fields";
  size_t unchecked = 0;
  const auto find_problems = [&](const Task& task) -> std::vector<std::string> {
    if (!cancel.cancelled()) return FindTaskProblems(task);
    ++unchecked;
    return {};
  };
  const absl::StatusOr<TasksFile> file = ReadTasksFile(path, find_problems);
  if (!file.ok()) {
    absl::string_view reason = file.status().message();
    absl::ConsumePrefix(&reason, path + ": ");
    return findings.Fail(path, reason, kRemedy);
  }
  for (const std::string& problem : file->problems) {
    findings.Fail(path, problem, kRemedy);
  }
  if (unchecked > 0) {
    return findings.Skip(path, absl::StrCat("the args of ", unchecked, " of ", file->tasks.size(),
                                            " tasks, because the time for the check is over"));
  }
  if (!file->problems.empty()) return;
  findings.Ok(path, absl::StrCat("has ", file->tasks.size(), " valid tasks"));
}

bool UsesCloudStorage(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadTasksText(path);
  // A command may name such URLs, too, and the worker does not use them. The quote is the start of
  // a JSON string, also within `args` that are a string.
  return text.ok() && absl::StrContains(*text, "\"gs://");
}

}  // namespace sparkles
