#include "base/keep_alive.h"

#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "base/thread.h"

namespace sparkles {
namespace {

TEST(KeepAliveTest, BeatsUntilCallEnds) {
  Heartbeat heartbeat;
  {
    const KeepAlive call(&heartbeat);
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (heartbeat.beats() < 2 && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
  }
  const uint64_t beats = heartbeat.beats();
  EXPECT_GE(beats, 2U);
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_EQ(heartbeat.beats(), beats);
}

TEST(KeepAliveTest, BeatsStopAtTimeLimit) {
  Heartbeat heartbeat;
  KeepAlive call(&heartbeat, absl::ZeroDuration());
  absl::SleepFor(absl::Milliseconds(500));
  EXPECT_EQ(heartbeat.beats(), 0U);
  call.Next();
  EXPECT_EQ(heartbeat.beats(), 1U);
}

TEST(KeepAliveTest, HousekeepingThreadDoesNotBeat) {
  Heartbeat heartbeat;
  StartHousekeeping("test", [&] {
    const KeepAlive call(&heartbeat);
    absl::SleepFor(absl::Milliseconds(500));
  }).join();
  EXPECT_EQ(heartbeat.beats(), 0U);
}

TEST(KeepAliveTest, NullHeartbeatIsAllowed) {
  KeepAlive call(nullptr);
  call.Next();
}

}  // namespace
}  // namespace sparkles
