#include "process/resource_usage.h"

#include <gtest/gtest.h>

namespace sparkles {
namespace {

rusage Sample() {
  rusage usage{};
  usage.ru_utime = {1, 500000};
  usage.ru_stime = {0, 250000};
  usage.ru_maxrss = 2048;
  usage.ru_inblock = 8;
  usage.ru_oublock = 16;
  return usage;
}

TEST(ResourceUsage, FieldsComeFromKernelUsage) {
  const ResourceUsage usage = ResourceUsageOf(Sample());
  EXPECT_EQ(usage.user_cpu, absl::Milliseconds(1500));
  EXPECT_EQ(usage.system_cpu, absl::Milliseconds(250));
  EXPECT_EQ(usage.max_rss_kb, 2048);
  EXPECT_EQ(usage.block_input_ops, 8);
  EXPECT_EQ(usage.block_output_ops, 16);
}

TEST(ResourceUsage, AddSumsFieldsAndKeepsPeak) {
  ResourceUsage total = ResourceUsageOf(Sample());
  ResourceUsage smaller = ResourceUsageOf(Sample());
  smaller.max_rss_kb = 100;
  Add(smaller, total);
  EXPECT_EQ(total.user_cpu, absl::Seconds(3));
  EXPECT_EQ(total.system_cpu, absl::Milliseconds(500));
  EXPECT_EQ(total.max_rss_kb, 2048);
  EXPECT_EQ(total.block_input_ops, 16);
  EXPECT_EQ(total.block_output_ops, 32);
  ResourceUsage larger;
  larger.max_rss_kb = 5000;
  Add(larger, total);
  EXPECT_EQ(total.max_rss_kb, 5000);
}

}  // namespace
}  // namespace sparkles
