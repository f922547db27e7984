// Groups similar causes of failures, so that 500 failures of one kind become one line.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "summary/groups.h"
#include "summary/task_row.h"

namespace sparkles {

// `reason` with "*" in place of each word that differs between similar reasons: a word with a digit
// (a number, an id), a path, a URL, a file name with an extension, and a text in double quotes.
std::string BlankDetails(absl::string_view reason);

// The cause of a failure: "out_of_memory", "disk_full", "time_limit", "no_progress",
// "signaled(killed)", "exit code 3", or a failure reason without details. Empty if the row is no
// failure.
std::string CauseOf(const TaskRow& row);

// Groups the failures by their causes. The key of a group is the cause.
std::vector<Group> GroupFailures(const std::vector<TaskRow>& rows);

}  // namespace sparkles
