// Identifies the worker or client that changes something in a simulated cluster.
#pragma once

#include <compare>
#include <string>

#include "absl/strings/str_cat.h"

namespace sparkles {

// One life of a worker: from its start to its exit or crash.
struct Author {
  int vm = 0;  // 0: no worker
  int life = 0;
  friend auto operator<=>(const Author&, const Author&) = default;
};

inline std::string ToString(const Author& author) {
  return absl::StrCat("w", author.vm, ".", author.life);
}

}  // namespace sparkles
