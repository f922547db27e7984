#include "base/random.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>

namespace sparkles {
namespace {

bool FillFromDevice(char* bytes, size_t size) {
  const int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  size_t filled = 0;
  while (filled < size) {
    const ssize_t got = read(fd, bytes + filled, size - filled);
    if (got <= 0) break;
    filled += static_cast<size_t>(got);
  }
  close(fd);
  return filled == size;
}

// The mixing step of SplitMix64: each bit of the input changes half of the output bits.
uint64_t Mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

uint64_t WeakRandom() {
  static std::atomic<uint64_t> counter{0};
  uint64_t start[2] = {0, 0};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel gives 16 random bytes to each program
  const auto* given = reinterpret_cast<const char*>(getauxval(AT_RANDOM));
  if (given != nullptr) std::memcpy(start, given, sizeof start);
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  uint64_t value = Mix(start[0] + ++counter);
  value = Mix(value ^ start[1] ^ static_cast<uint64_t>(getpid()));
  return Mix(value + static_cast<uint64_t>(now.tv_nsec) +
             (static_cast<uint64_t>(now.tv_sec) << 32));
}

uint32_t KernelSeed() {
  uint32_t seed = 0;
  FillRandom(&seed, sizeof seed);
  return seed;
}

std::atomic<uint32_t (*)()> seed_source = KernelSeed;

}  // namespace

void FillRandom(void* bytes, size_t size) {
  auto* next = static_cast<char*>(bytes);
  while (size > 0) {
    // The kernel returns up to 256 bytes whole, even if a signal arrives.
    const size_t piece = std::min<size_t>(size, 256);
    const ssize_t got = getrandom(next, piece, GRND_NONBLOCK);
    if (got != static_cast<ssize_t>(piece)) break;
    next += piece;
    size -= piece;
  }
  if (size == 0 || FillFromDevice(next, size)) return;
  while (size > 0) {
    const uint64_t value = WeakRandom();
    const size_t piece = std::min(size, sizeof value);
    std::memcpy(next, &value, piece);
    next += piece;
    size -= piece;
  }
}

uint32_t RandomSeed() { return seed_source.load()(); }

void SetSeedSource(uint32_t (*source)()) { seed_source = source != nullptr ? source : KernelSeed; }

}  // namespace sparkles
