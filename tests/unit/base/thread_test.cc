#include "base/thread.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/clock.h"

namespace sparkles {
namespace {

TEST(HousekeeperTest, DestructorStopsTheBody) {
  std::atomic<bool> housekeeping = false;
  std::atomic<bool> slept_to_the_end = true;
  {
    const Housekeeper thread("test", [&](const CancelToken& stop) {
      housekeeping = OnHousekeepingThread();
      slept_to_the_end = SystemClock().Sleep(absl::Hours(1), stop);
    });
    EXPECT_TRUE(thread.status().ok());
  }
  EXPECT_TRUE(housekeeping);
  EXPECT_FALSE(slept_to_the_end);
}

TEST(HousekeeperTest, ParentStopsTheBody) {
  CancelToken parent;
  std::atomic<CancelKind> seen = CancelKind::kNone;
  CancelToken ended;
  const auto body = [&](const CancelToken& stop) {
    SystemClock().Sleep(absl::Hours(1), stop);
    seen = stop.kind();
    ended.Cancel(CancelKind::kAbort, "");
  };
  const Housekeeper thread("test", body, &parent);
  parent.Cancel(CancelKind::kHandBack, "SIGTERM");
  SystemClock().Sleep(absl::Minutes(1), ended);
  EXPECT_EQ(seen, CancelKind::kHandBack);
}

}  // namespace
}  // namespace sparkles
