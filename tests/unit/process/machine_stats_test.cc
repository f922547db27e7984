#include "process/machine_stats.h"

#include <gtest/gtest.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "absl/time/clock.h"
#include "base/file.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

constexpr char kMemory[] =
    "MemTotal:       24684084 kB\n"
    "MemFree:        21000000 kB\n"
    "MemAvailable:   24000000 kB\n"
    "Buffers:            1000 kB\n";

constexpr char kCpu[] =
    "cpu  100 20 30 800 40 5 5 0 60 0\n"
    "cpu0 50 10 15 400 20 2 3 0 30 0\n"
    "cpu1 50 10 15 400 20 3 2 0 30 0\n"
    "intr 12345 0 0\n";

TEST(ParseMemoryInfo, KilobytesBecomeBytes) {
  const std::optional<MemoryInfo> info = ParseMemoryInfo(kMemory);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->total_bytes, 24684084LL * 1024);
  EXPECT_EQ(info->available_bytes, 24000000LL * 1024);
}

TEST(ParseMemoryInfo, MalformedTextIsRefused) {
  for (const char* text :
       {"", "MemTotal:", "MemTotal: 5 kB\n", "MemTotal: x kB\nMemAvailable: 1 kB",
        "MemTotal: 9223372036854775807 kB\nMemAvailable: 1 kB\n",
        "MemTotal: -1 kB\nMemAvailable: 1 kB\n"}) {
    EXPECT_FALSE(ParseMemoryInfo(text).has_value()) << text;
  }
}

TEST(ParseCpuTicks, UserIncludesNiceAndGuestOnce) {
  const std::optional<CpuTicks> ticks = ParseCpuTicks(kCpu);
  ASSERT_TRUE(ticks.has_value());
  EXPECT_EQ(ticks->user, 120);
  EXPECT_EQ(ticks->total, 1000);
  EXPECT_EQ(ticks->processors, 2);
}

TEST(ParseCpuTicks, MalformedTextIsRefused) {
  for (const char* text : {"", "cpu", "cpu ", "cpu  1 2 3", "cpu  1 2 x 4 5", "cpu  -1 2 3 4 5",
                           "cpu  9223372036854775807 2 3 4 5", "cpu0 1 2 3 4 5"}) {
    EXPECT_FALSE(ParseCpuTicks(text).has_value()) << text;
  }
}

class MachineSamplerTest : public testing::Test {
 protected:
  void Write(const std::string& name, absl::string_view text) {
    ASSERT_TRUE(WriteFileAtomically(proc_ / name, text, false).ok());
  }
  TempDirectory proc_;
};

TEST_F(MachineSamplerTest, UsageIsMeasuredUntilStop) {
  MachineStats stats;
  for (int i = 0; i < 10 && stats.samples != 2; ++i) {  // a slow machine may take a third sample
    Write("meminfo", kMemory);
    Write("stat", kCpu);
    MachineSampler sampler("", proc_.path());
    Write("meminfo", "MemTotal: 24684084 kB\nMemAvailable: 23000000 kB\n");
    Write("stat", "cpu  400 20 30 1500 40 5 5 0 360 0\ncpu0 1\ncpu1 1\n");  // 300 of 1000 ticks
    stats = sampler.Stop();
  }
  EXPECT_EQ(stats.memory_total, 24684084LL * 1024);
  EXPECT_EQ(stats.max_memory_in_use, 1684084LL * 1024);
  EXPECT_GT(stats.median_memory_in_use, 684084LL * 1024);
  EXPECT_LE(stats.median_memory_in_use, stats.p95_memory_in_use);
  EXPECT_LE(stats.p95_memory_in_use, stats.max_memory_in_use);
  EXPECT_EQ(stats.number_of_cpus, 2);
  EXPECT_DOUBLE_EQ(stats.max_user_cpu_percent_usage, 30);
  EXPECT_DOUBLE_EQ(stats.p95_user_cpu_percent_usage, 30);
  EXPECT_DOUBLE_EQ(stats.median_user_cpu_percent_usage, 30);
  EXPECT_EQ(stats.machine_type, "");
}

TEST_F(MachineSamplerTest, MissingProcGivesZeros) {
  MachineSampler sampler("", proc_.path() + "/absent");
  const MachineStats stats = sampler.Stop();
  EXPECT_EQ(stats.memory_total, 0);
  EXPECT_EQ(stats.max_memory_in_use, 0);
  EXPECT_EQ(stats.number_of_cpus, 0);
  EXPECT_DOUBLE_EQ(stats.max_user_cpu_percent_usage, 0);
}

TEST_F(MachineSamplerTest, MalformedProcGivesZeros) {
  Write("meminfo", std::string("\0\xff garbage", 11));
  Write("stat", "cpu cpu cpu\n");
  MachineSampler sampler("", proc_.path());
  const MachineStats stats = sampler.Stop();
  EXPECT_EQ(stats.memory_total, 0);
  EXPECT_EQ(stats.number_of_cpus, 0);
}

TEST_F(MachineSamplerTest, DecreasingTicksGiveZeroUsage) {
  Write("stat", kCpu);
  MachineSampler sampler("", proc_.path());
  Write("stat", "cpu  1 1 1 1 1\ncpu0 1\n");
  EXPECT_DOUBLE_EQ(sampler.Stop().max_user_cpu_percent_usage, 0);
}

TEST_F(MachineSamplerTest, SamplingContinuesAfterTicksDecrease) {
  double percent = 0;
  for (int seconds = 1; seconds < 16 && percent == 0; seconds *= 2) {  // until a sample was taken
    Write("stat", "cpu  900000 0 0 900000 0\ncpu0 1\n");
    MachineSampler sampler("", proc_.path());
    Write("stat", "cpu  1000 0 0 1000 0\ncpu0 1\n");
    absl::SleepFor(absl::Seconds(seconds));
    Write("stat", "cpu  1300 0 0 1700 0\ncpu0 1\n");
    percent = sampler.Stop().max_user_cpu_percent_usage;
  }
  EXPECT_DOUBLE_EQ(percent, 30);
}

TEST_F(MachineSamplerTest, ReservedBlocksAreFreeForRoot) {
  const MachineStats stats = MachineSampler(proc_.path(), proc_.path()).Stop();
  struct statvfs space;
  ASSERT_EQ(statvfs(proc_.path().c_str(), &space), 0);
  const auto unit = static_cast<double>(space.f_frsize);
  const double reserved = static_cast<double>(space.f_bfree - space.f_bavail) * unit;
  if (reserved < 100e6) GTEST_SKIP() << "this file system reserves almost nothing for root";
  const double usable = static_cast<double>(space.f_bavail) * unit;
  EXPECT_NEAR(static_cast<double>(stats.least_free.bytes),
              geteuid() == 0 ? usable + reserved : usable, reserved / 2);
}

TEST_F(MachineSamplerTest, StopReturnsWithinHalfSecond) {
  absl::Duration least = absl::InfiniteDuration();
  for (int i = 0; i < 5 && least > absl::Seconds(0.5); ++i) {
    MachineSampler sampler("", proc_.path());
    absl::SleepFor(absl::Seconds(1.1));  // now the sampler takes one sample a second
    const absl::Time start = absl::Now();
    sampler.Stop();
    least = std::min(least, absl::Now() - start);
  }
  EXPECT_LT(least, absl::Seconds(0.5));
}

TEST_F(MachineSamplerTest, DestructorWorksWithoutStop) { MachineSampler sampler("", proc_.path()); }

TEST(MachineSampler, RealProcGivesPlausibleValues) {
  const TempDirectory directory;
  MachineSampler sampler(directory.path());
  const MachineStats stats = sampler.Stop();
  EXPECT_GT(stats.memory_total, 0);
  EXPECT_GT(stats.max_memory_in_use, 0);
  EXPECT_LT(stats.max_memory_in_use, stats.memory_total);
  EXPECT_GT(stats.number_of_cpus, 0);
  EXPECT_GE(stats.max_user_cpu_percent_usage, 0);
  EXPECT_LE(stats.max_user_cpu_percent_usage, 100);
  EXPECT_GE(stats.samples, 2);
  EXPECT_TRUE(stats.least_free.known);
  EXPECT_GT(stats.least_free.bytes, 0);
}

}  // namespace
}  // namespace sparkles
