// What a fuzz target demands of the code under test.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace sparkles {

// Ends the program, which the fuzzer reports with the input that led here.
inline void Require(bool holds, const char* promise) {
  if (holds) return;
  fprintf(stderr, "broken promise: %s\n", promise);
  abort();
}

}  // namespace sparkles
