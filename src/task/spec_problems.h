// Finds all problems of a task's spec, where ParseTaskSpec stops at the first one.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sparkles {

// The messages, each beginning with the name of the field. Empty if ParseTaskSpec accepts `text`.
std::vector<std::string> FindSpecProblems(absl::string_view text);

}  // namespace sparkles
