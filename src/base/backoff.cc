#include "base/backoff.h"

#include <algorithm>
#include <utility>

#include "base/random.h"

namespace sparkles {

absl::Duration Backoff::Next() {
  const absl::Duration ceiling = std::exchange(ceiling_, std::min(2 * ceiling_, longest_));
  if (least_ >= 1) return ceiling;
  if (!random_) random_.emplace(RandomSeed());
  return ceiling * std::uniform_real_distribution<>(least_, 1)(*random_);
}

}  // namespace sparkles
