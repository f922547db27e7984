// Many independent pieces of work on a few threads, all done or stopped at the first failure.
#pragma once

#include <cstddef>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace sparkles {

// Calls work(0) ... work(count - 1), at most `threads` at a time, and returns when all calls have
// returned. After the first error no further call is started; that error is returned. With one
// piece, one thread, or where no thread can be made, the calls run on the caller's thread.
absl::Status ParallelFor(size_t count, int threads,
                         absl::FunctionRef<absl::Status(size_t index)> work);

}  // namespace sparkles
