// Takes the numbers of one result.json (docs/result-json.md).
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "summary/task_row.h"

namespace sparkles {

// Does not keep the list of files. A number that is missing, negative or not a number is unknown.
// InvalidArgument if `text` is not a JSON object.
absl::StatusOr<TaskUse> ParseResultNumbers(absl::string_view text);

}  // namespace sparkles
