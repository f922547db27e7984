// Random bits for jitter and for unique names, on any machine. Not for secrets.
// Tests can replace the source of seeds, so that a simulated fleet runs the same again.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sparkles {

// Fills `size` bytes with random bits from the kernel. If the kernel gives none (an image without
// /dev, a seccomp profile without getrandom), uses the random bytes of the program start, the clock
// and the process id, which differ between two processes that share a directory. Never fails.
// Thread-safe.
void FillRandom(void* bytes, size_t size);

// A new number at each call and in each process: the seed of all jitter. Replaces
// std::random_device, which throws without /dev/urandom. Thread-safe.
uint32_t RandomSeed();

// For tests: takes seeds from `source` from now on; null: from the kernel again. Call while no
// other thread asks for a seed.
void SetSeedSource(uint32_t (*source)());

}  // namespace sparkles
