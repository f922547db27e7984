// Parses and checks a task's spec (docs/wire-results.md).
// After this check, other code relies on the spec.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"

namespace sparkles {

struct Download {
  std::string src_url;
  std::string dst;  // clean relative path, never "." or "stdout.txt"
  bool executable = false;
  bool is_cas_key = false;  // true only if the URL's last element is a SHA-256
  bool symlink_safe = false;
};

struct TaskSpec {
  std::string working_dir = ".";  // clean relative path
  std::string command;            // not empty
  std::string pre_download_script;
  std::string post_download_script;
  std::string pre_exec_script;
  std::string post_exec_script;
  Json parameters;                            // an object, or null if the spec has none
  std::vector<Download> downloads;            // each dst once
  std::vector<std::string> include_patterns;  // each parses as a glob, without leading slashes
  std::vector<std::string> exclude_patterns;
  // uploads.dst_url without trailing slashes. May be empty if there are no include patterns.
  std::string upload_url;
  std::string command_result_url;     // if empty, no result.json is uploaded
  std::string stdout_url;             // if empty, the log is not uploaded
  std::vector<std::string> warnings;  // about changed values, for the task's log
};

// Linux's limit for one argument: 32 pages without the final NUL (MAX_ARG_STRLEN in
// linux/binfmts.h).
inline constexpr size_t kMaxCommandBytes = 131'071;

// InvalidArgument if `text` is not JSON, if a required field is missing, if a field has the wrong
// type, or if a path leaves the work directory. The message begins with the name of the field.
absl::StatusOr<TaskSpec> ParseTaskSpec(absl::string_view text);

// Reads only the URLs of outputs, log and result.json, and the patterns. Works also for a spec that
// ParseTaskSpec refuses. All other fields are empty.
TaskSpec ParseResultPlaces(absl::string_view text);
TaskSpec FindResultPlaces(const Json& json);

}  // namespace sparkles
