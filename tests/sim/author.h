// Whoever does something in a simulated cluster.
#pragma once

#include <compare>
#include <string>

#include "absl/strings/str_cat.h"

namespace sparkles {

// One life of a worker: it begins when the worker starts and ends when it exits or crashes.
struct Author {
  int vm = 0;  // 0: nobody
  int life = 0;
  friend auto operator<=>(const Author&, const Author&) = default;
};

inline std::string ToString(const Author& author) {
  return absl::StrCat("w", author.vm, ".", author.life);
}

}  // namespace sparkles
