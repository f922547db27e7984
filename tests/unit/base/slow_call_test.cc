#include "base/slow_call.h"

#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "base/thread.h"

namespace sparkles {
namespace {

TEST(SlowCallTest, BeatsUntilCallEnds) {
  Heartbeat heartbeat;
  {
    const SlowCall call(&heartbeat);
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (heartbeat.beats() < 2 && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
  }
  const uint64_t beats = heartbeat.beats();
  EXPECT_GE(beats, 2U);
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_EQ(heartbeat.beats(), beats);
}

TEST(SlowCallTest, BeatsStopAtTimeLimit) {
  Heartbeat heartbeat;
  SlowCall call(&heartbeat, absl::ZeroDuration());
  absl::SleepFor(absl::Milliseconds(500));
  EXPECT_EQ(heartbeat.beats(), 0U);
  call.Next();
  EXPECT_EQ(heartbeat.beats(), 1U);
}

TEST(SlowCallTest, HousekeepingThreadDoesNotBeat) {
  Heartbeat heartbeat;
  StartHousekeeping("test", [&] {
    const SlowCall call(&heartbeat);
    absl::SleepFor(absl::Milliseconds(500));
  }).join();
  EXPECT_EQ(heartbeat.beats(), 0U);
}

TEST(SlowCallTest, NullHeartbeatIsAllowed) {
  SlowCall call(nullptr);
  call.Next();
}

}  // namespace
}  // namespace sparkles
