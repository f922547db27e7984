// One line of FILE.state: one change of one task, with the property names of the task entity.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "task/task.h"

namespace sparkles {

struct StateChange {
  std::string task_id;
  TaskStatus status = TaskStatus::kPending;  // kPending: a reset, by its worker or another
  std::string owner;                         // empty: none
  absl::Time timestamp;
  int64_t version = 0;    // the task's, after the change; an untouched task has kFirstVersion
  std::string exit_code;  // kComplete only
  std::string failure_reason;
};

// What the client writes into a fresh task entity.
inline constexpr int64_t kFirstVersion = 1;

// One line of JSON, line end included, with its checksum. Values that are empty are left out.
std::string FormatStateChange(const StateChange& change);

// Expects no line end. Unknown properties are ignored. InvalidArgument if the checksum is wrong.
// Lines of older versions have no checksum.
absl::StatusOr<StateChange> ParseStateChange(absl::string_view line);

// True if `line` ends with its right checksum.
bool HasRightChecksum(absl::string_view line);

// The first line of the file, line end included.
std::string FormatStateHeader();

// An error unless `line` is the header of a file that this version can read.
absl::Status CheckStateHeader(absl::string_view line);

}  // namespace sparkles
