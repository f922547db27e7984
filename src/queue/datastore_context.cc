#include "queue/datastore_context.h"

#include <random>

#include "base/random.h"

namespace sparkles {
namespace {

// After a conflict no wait is needed. Most other errors pass within a second, or last for long.
constexpr absl::Duration kRepeatWait = absl::Milliseconds(100);

}  // namespace

void WaitBeforeTry(int tries, Clock& clock) {
  if (tries < 2) return;
  std::minstd_rand random(RandomSeed());
  const CancelToken never;
  clock.Sleep(kRepeatWait * tries * std::uniform_real_distribution<>(0, 1)(random), never);
}

}  // namespace sparkles
