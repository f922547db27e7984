// Waits for what another thread or process does, with a deadline.
#pragma once

#include "absl/functional/function_ref.h"

namespace sparkles {

// Looks every few milliseconds until `condition` holds; false if it does not within 30 s, longer
// than any pause of a busy machine. Only spent in full when something is broken.
bool Eventually(absl::FunctionRef<bool()> condition);

}  // namespace sparkles
