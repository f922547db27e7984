// Where all jitter gets its seeds.
// The one hard idea: a simulated fleet must run the same again from one number, so tests can put a
// source of their own in the place of the kernel's.
#pragma once

#include <cstdint>

namespace sparkles {

// Another number each time, and in each process. Thread-safe. Not for secrets.
uint32_t RandomSeed();

// For tests: seeds come from `source` from now on; null: from the kernel again. Call it while no
// other thread asks for a seed.
void SetSeedSource(uint32_t (*source)());

}  // namespace sparkles
