// Formats and parses the lines of FILE.state.
// A line is one change of one task, with the property names of the task entity.
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
  TaskStatus status = TaskStatus::kPending;  // kPending is a hand-back or reset
  std::string owner;                         // or empty
  absl::Time timestamp;
  int64_t version = 0;         // the task's version after the change
  std::string exit_code;       // kComplete only
  std::string failure_reason;  // or empty
};

// The version of a task without changes, as in a new task entity.
inline constexpr int64_t kFirstVersion = 1;

// One line of JSON with its checksum and line end. Leaves out empty values.
std::string FormatStateChange(const StateChange& change);

// `line` has no line end. Ignores unknown properties. InvalidArgument if the checksum is wrong.
// Lines of older versions have no checksum.
absl::StatusOr<StateChange> ParseStateChange(absl::string_view line);

// True if `line` has a checksum and the checksum is right.
bool HasValidChecksum(absl::string_view line);

// The first line of the file, with its line end.
std::string FormatStateHeader();

// An error unless `line` is the header of a file that this version can read.
absl::Status CheckStateHeader(absl::string_view line);

}  // namespace sparkles
