#include "tests/support/eventually.h"

#include <poll.h>

#include "process/monotonic.h"

namespace sparkles {

bool Eventually(absl::FunctionRef<bool()> condition) {
  const absl::Duration deadline = MonotonicNow() + absl::Seconds(30);
  while (!condition()) {
    if (MonotonicNow() > deadline) return false;
    (void)poll(nullptr, 0, 2);
  }
  return true;
}

}  // namespace sparkles
