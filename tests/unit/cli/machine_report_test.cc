#include "cli/machine_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "monitor/status_cache.h"
#include "tests/support/fake_clock.h"

namespace sparkles {
namespace {

using testing::HasSubstr;

class DescribeMachineTest : public testing::Test {
 protected:
  // A machine with one processor that counts 100 ticks a second; the user's share is 25%.
  ProcessStatus Machine() {
    const int64_t ticks = absl::ToInt64Milliseconds(clock_.Now() - start_) / 10;
    ProcessStatus status;
    status.process_count = ++answers_;
    status.cpu_user = 1000 + ticks / 4;
    status.cpu_system = 1000;
    status.cpu_idle = 5000 + ticks - ticks / 4;
    return status;
  }

  std::string Report(absl::FunctionRef<absl::StatusOr<ProcessStatus>()> ask) {
    const auto report = DescribeMachine(ask, clock_);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or("");
  }

  FakeClock clock_;
  const absl::Time start_ = clock_.Now();
  int answers_ = 0;
};

TEST_F(DescribeMachineTest, CpuLoadCoversOneSecond) {
  EXPECT_THAT(Report([this] { return Machine(); }),
              HasSubstr("user 25.0%, system 0.0%, waiting for disks 0.0%\n"));
  EXPECT_EQ(clock_.Now() - start_, absl::Seconds(1));
}

TEST_F(DescribeMachineTest, CachedStatusIsRequestedAgain) {
  ProcessStatus kept = Machine();
  absl::Time read = clock_.Now();
  const auto ask = [&] {
    if (clock_.Now() - read >= StatusCache::kMaxAge) {
      read = clock_.Now();
      kept = Machine();
    }
    return kept;
  };
  const std::string report = Report(ask);
  EXPECT_THAT(report, HasSubstr("user 25.0%, "));
  EXPECT_THAT(report, HasSubstr("processes        2,"));  // the second answer
  EXPECT_EQ(clock_.Now() - start_, absl::Seconds(10));
}

TEST_F(DescribeMachineTest, UnchangingCpuTimeIsUnknown) {
  const ProcessStatus stuck = Machine();
  EXPECT_THAT(Report([&] { return stuck; }), HasSubstr("processors       unknown\n"));
  EXPECT_EQ(clock_.Now() - start_, absl::Seconds(11));
}

TEST_F(DescribeMachineTest, MissingCpuTimeIsUnknown) {
  EXPECT_THAT(Report([] { return ProcessStatus(); }), HasSubstr("processors       unknown\n"));
  EXPECT_EQ(clock_.Now(), start_);
}

TEST_F(DescribeMachineTest, SecondRequestFailureIsReturned) {
  const ProcessStatus first = Machine();
  const auto ask = [&]() -> absl::StatusOr<ProcessStatus> {
    if (clock_.Now() == start_) return first;
    return absl::UnavailableError("gone");
  };
  EXPECT_EQ(DescribeMachine(ask, clock_).status(), absl::UnavailableError("gone"));
}

}  // namespace
}  // namespace sparkles
