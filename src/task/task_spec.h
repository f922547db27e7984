// The task spec (docs/wire-contract.md section 4): parsed from JSON, validated whole, trusted
// afterwards.
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
  std::string upload_url;             // uploads.dst_url without trailing slashes; may be empty if
                                      // there are no include patterns
  std::string command_result_url;     // may be empty: no result.json is wanted
  std::string stdout_url;             // may be empty: the log is not uploaded
  std::vector<std::string> warnings;  // about changed values; for the task's log
};

// The longest command that the kernel takes as one argument: 32 pages less the final NUL
// (MAX_ARG_STRLEN in linux/binfmts.h).
inline constexpr size_t kMaxCommandBytes = 131'071;

// InvalidArgument, with a message that begins with the name of the field, if `text` is not JSON,
// lacks what it needs, has a field of the wrong type, or would leave the work folder.
absl::StatusOr<TaskSpec> ParseTaskSpec(absl::string_view text);

// The places of the task's outputs, log and result.json, also for a spec that ParseTaskSpec
// refuses. All fields except patterns and URLs are empty.
TaskSpec ParseResultPlaces(absl::string_view text);
TaskSpec FindResultPlaces(const Json& json);

}  // namespace sparkles
