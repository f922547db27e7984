// Writes findings as text for people, and as JSON for programs.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "doctor/finding.h"

namespace sparkles {

// One line for each finding, such as "FAIL  --port 6032: Address already in use. Remedy: ...".
std::string FormatFindings(const std::vector<Finding>& findings);

// The line at the end: how many findings have which level.
std::string FormatCounts(const std::vector<Finding>& findings);

// One JSON object with the version of the worker, the counts, and all findings (docs/doctor.md).
// Ends with a line end.
std::string FormatJson(const std::vector<Finding>& findings, absl::string_view version);

}  // namespace sparkles
