// Random bits for jitter and for names that nobody else takes, on any machine. Not for secrets.
// The one hard idea: a simulated fleet must run the same again from one number, so tests can put a
// source of seeds of their own in the place of the kernel's.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sparkles {

// Fills `size` bytes. From the kernel; where that gives none (an image without /dev, a seccomp
// profile that forbids getrandom) from what it gave this process at its start, the clock and the
// process id, which differ between any two processes that share a folder. Never fails. Thread-safe.
void FillRandom(void* bytes, size_t size);

// Another number each time, and in each process: where all jitter gets its seeds. In the place of
// std::random_device, which throws where there is no /dev/urandom. Thread-safe.
uint32_t RandomSeed();

// For tests: seeds come from `source` from now on; null: from the kernel again. Call it while no
// other thread asks for a seed.
void SetSeedSource(uint32_t (*source)());

}  // namespace sparkles
