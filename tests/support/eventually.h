// Waits, with a deadline, for another thread or process.
#pragma once

#include "absl/functional/function_ref.h"

namespace sparkles {

// Checks `condition` every few milliseconds until it is true. False after 30 s, which is longer
// than any pause of a busy machine.
bool Eventually(absl::FunctionRef<bool()> condition);

}  // namespace sparkles
