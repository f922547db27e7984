// Checks the promises of fuzzed code.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace sparkles {

// Aborts if `holds` is false. The fuzzer then reports the input.
inline void Require(bool holds, const char* promise) {
  if (holds) return;
  fprintf(stderr, "broken promise: %s\n", promise);
  abort();
}

}  // namespace sparkles
