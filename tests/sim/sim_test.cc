// Runs whole workers on simulated machines and networks. A seed determines the whole run.
//   SIM_SEEDS=N  the number of seeds (default 1,000; 100 under sanitizers)
//   SIM_SEED=X   runs only this seed, with its full trace
#include <gtest/gtest.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <map>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/sim/world.h"

namespace sparkles {
namespace {

uint64_t NumberFrom(const char* variable, uint64_t otherwise) {
  const char* text = getenv(variable);
  uint64_t number;
  return text != nullptr && absl::SimpleAtoi(text, &number) ? number : otherwise;
}

// Sanitizers make everything ten times slower.
bool IsSanitized() {
  const char* lane = getenv("SPARKLES_LANE");
  return lane != nullptr && (strcmp(lane, "asan") == 0 || strcmp(lane, "tsan") == 0);
}

class Totals {
 public:
  void Add(const World& world) {
    for (size_t i = 0; i < faults_.size(); ++i) faults_[i] += world.faults[i];
    for (const auto& [change, count] : world.judge.changes()) changes_[change] += count;
    for (const auto& [what, count] : world.measured) measured_[what] += count;
  }

  std::string Text() const {
    std::string text = "faults:";
    for (size_t i = 0; i < faults_.size(); ++i) {
      absl::StrAppend(&text, " ", NameOf(static_cast<Fault>(i)), " ", faults_[i], ",");
    }
    absl::StrAppend(&text, "\nworkers wrote:");
    for (const auto& [change, count] : changes_) absl::StrAppend(&text, " ", change, " ", count);
    text += "\nmeasured:";
    for (const auto& [what, count] : measured_) absl::StrAppend(&text, " ", what, " ", count, ";");
    return text;
  }

  const FaultCounts& faults() const { return faults_; }
  const std::map<std::string, int>& measured() const { return measured_; }
  int changes(const std::string& change) const {
    const auto found = changes_.find(change);
    return found == changes_.end() ? 0 : found->second;
  }

 private:
  FaultCounts faults_{};
  std::map<std::string, int> changes_;
  std::map<std::string, int> measured_;
};

// One actor runs at a time, and a switch is faster on one processor.
void StayOnOneProcessor() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<size_t>(std::max(sched_getcpu(), 0)), &one);
  (void)sched_setaffinity(0, sizeof one, &one);
}

void RunSeed(uint64_t seed, bool verbose, Totals& totals) {
  World world(seed, verbose);
  world.Run();
  totals.Add(world);
  if (verbose)
    fprintf(stderr, "trace hash: %016lx\n",
            static_cast<unsigned long>(world.scheduler.trace_hash()));
  if (world.broken().empty()) return;
  ADD_FAILURE() << "seed " << seed << " breaks:\n  " << absl::StrJoin(world.broken(), "\n  ")
                << "\nreplay: make sim SEED=" << seed;
}

TEST(Simulator, EverySeedKeepsPromises) {
  StayOnOneProcessor();
  Totals totals;
  if (const uint64_t seed = NumberFrom("SIM_SEED", 0); seed != 0) {
    return RunSeed(seed, /*verbose=*/true, totals);
  }
  const uint64_t seeds = NumberFrom("SIM_SEEDS", IsSanitized() ? 100 : 1'000);
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    RunSeed(seed, /*verbose=*/false, totals);
    if (HasFailure() && getenv("SIM_GO_ON") == nullptr) break;
  }
  printf("%s\n", totals.Text().c_str());
  if (HasFailure() || seeds < 100) return;
  for (size_t i = 0; i < totals.faults().size(); ++i) {
    EXPECT_GT(totals.faults()[i], 0) << "never tried: " << NameOf(static_cast<Fault>(i));
  }
  for (const char* change : {"claimed", "complete", "failed", "killed", "reset"}) {
    EXPECT_GT(totals.changes(change), 0) << "never seen: " << change;
  }
  EXPECT_EQ(totals.measured().size(), 6u)
      << "never: a hand-back in quiet times, one of the ends, or a checkpoint that is restored";
}

TEST(Simulator, SameSeedGivesSameRun) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    World first(seed, /*verbose=*/false);
    first.Run();
    World second(seed, /*verbose=*/false);
    second.Run();
    EXPECT_EQ(first.scheduler.trace_hash(), second.scheduler.trace_hash()) << "seed " << seed;
    EXPECT_EQ(first.faults, second.faults) << "seed " << seed;
  }
}

}  // namespace
}  // namespace sparkles
