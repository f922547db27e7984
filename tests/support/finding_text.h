// Shows the findings of a check as the lines of `doctor`.
#pragma once

#include <functional>
#include <string>

#include "doctor/finding.h"
#include "doctor/report.h"

namespace sparkles {

// The lines that `check` adds.
inline std::string FindingText(const std::function<void(Findings& findings)>& check) {
  Findings findings("test");
  check(findings);
  return FormatFindings(findings.All());
}

}  // namespace sparkles
