#include "summary/result_numbers.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

// A result of the Go worker 5.8.2 in its essential parts.
constexpr char kOldUsage[] =
    R"("user_cpu_time":{"Sec":1,"Usec":500000},"system_cpu_time":{"Sec":0,"Usec":250000},)"
    R"("max_memory_size":2000)";

std::string ResultWith(absl::string_view usage, absl::string_view others = "") {
  return absl::StrCat(R"({"files":[{"src":"a"},{"src":"b"}],"resource_usage":{)", usage, "}",
                      others, "}");
}

TEST(ResultNumbersTest, AllNumbersAreTaken) {
  const auto use = ParseResultNumbers(
      ResultWith(absl::StrCat(kOldUsage, R"(,"elapsed_time":7.0,"peak_memory_size":3000)"),
                 R"(,"machine_stats":{"machine_type":"n1","memory_total":16000,"number_of_cpus":4,)"
                 R"("median_user_cpu_percent_usage":95.5},)"
                 R"x("cause":{"kind":"signal","detail":"signaled(killed)"},)x"
                 R"("unmatched_patterns":["*.a","b"])"));
  ASSERT_TRUE(use.ok()) << use.status();
  EXPECT_EQ(use->wall_seconds, 7);
  EXPECT_EQ(use->cpu_seconds, 1.75);
  EXPECT_EQ(CpusUsed(*use), 0.25);
  EXPECT_EQ(use->peak_memory_bytes, 3000 * 1024);
  EXPECT_EQ(use->outputs, 2U);
  EXPECT_EQ(use->machine.type, "n1");
  EXPECT_EQ(use->machine.cpus, 4);
  EXPECT_EQ(use->machine.memory_bytes, 16000);
  EXPECT_EQ(use->busy_percent, 95.5);
  EXPECT_EQ(use->cause_kind, "signal");
  EXPECT_EQ(use->cause_detail, "signaled(killed)");
  EXPECT_EQ(use->remark, "no output matches *.a, b");
}

TEST(ResultNumbersTest, OldResultHasFewerNumbers) {
  const auto use = ParseResultNumbers(ResultWith(kOldUsage));
  ASSERT_TRUE(use.ok()) << use.status();
  EXPECT_EQ(use->peak_memory_bytes, 2000 * 1024);
  EXPECT_FALSE(use->wall_seconds || CpusUsed(*use));
  EXPECT_FALSE(use->machine.cpus || use->machine.memory_bytes);
}

TEST(ResultNumbersTest, NonsenseIsUnknown) {
  for (const char* usage : {R"("elapsed_time":"x","max_memory_size":-5)", R"("elapsed_time":1e300)",
                            R"("user_cpu_time":{"Sec":[],"Usec":1},"system_cpu_time":3)"}) {
    const auto use = ParseResultNumbers(
        ResultWith(usage, R"(,"machine_stats":{"memory_total":0,"number_of_cpus":0},"cause":7)"));
    ASSERT_TRUE(use.ok()) << use.status();
    EXPECT_FALSE(use->wall_seconds || use->cpu_seconds || use->peak_memory_bytes) << usage;
    EXPECT_FALSE(use->machine.cpus || use->machine.memory_bytes);
    EXPECT_EQ(use->cause_kind, "");
  }
  EXPECT_FALSE(ParseResultNumbers(R"({"files":{}})")->outputs);
}

TEST(ResultNumbersTest, OtherTextIsRefused) {
  for (const char* text : {"", "[]", "{", "7"}) EXPECT_FALSE(ParseResultNumbers(text).ok()) << text;
}

}  // namespace
}  // namespace sparkles
