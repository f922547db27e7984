#include "base/random.h"

#include <atomic>
#include <random>

namespace sparkles {
namespace {

uint32_t KernelSeed() { return std::random_device{}(); }

std::atomic<uint32_t (*)()> seed_source = KernelSeed;

}  // namespace

uint32_t RandomSeed() { return seed_source.load()(); }

void SetSeedSource(uint32_t (*source)()) { seed_source = source != nullptr ? source : KernelSeed; }

}  // namespace sparkles
