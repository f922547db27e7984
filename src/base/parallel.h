// Runs many independent pieces of work on a few threads, and stops at the first failure.
#pragma once

#include <cstddef>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace sparkles {

// Calls work(0) ... work(count - 1), at most `threads` at a time, and returns after all calls have
// returned. Starts no call after the first error, and returns that error. The calls run on the
// caller's thread if there is one piece, one thread, or no thread can be made.
absl::Status ParallelFor(size_t count, int threads,
                         absl::FunctionRef<absl::Status(size_t index)> work);

}  // namespace sparkles
