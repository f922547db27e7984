#include "process/gpu_record.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace sparkles {
namespace {

constexpr int64_t kMiB = 1 << 20;

TEST(ParseGpuLine, MebibytesBecomeBytes) {
  const auto sample = ParseGpuLine("1, Tesla T4, 15360, 512, 37");
  ASSERT_TRUE(sample.has_value());
  EXPECT_EQ(sample->index, 1);
  EXPECT_EQ(sample->name, "Tesla T4");
  EXPECT_EQ(sample->memory_total, 15360 * kMiB);
  EXPECT_EQ(sample->memory_used, 512 * kMiB);
  EXPECT_EQ(sample->utilization, 37);
}

TEST(ParseGpuLine, ImplausibleValuesAreAbsent) {
  for (const char* text : {"[N/A]", "[Not Supported]", "[Unknown Error]", "-1", "", "1.5", "0x10",
                           "10 %", "99999999999999999999", "9223372036854775807", "nan", "\xff"}) {
    const auto memory = ParseGpuLine(absl::StrCat("0, A, ", text, ", ", text, ", 5"));
    ASSERT_TRUE(memory.has_value()) << text;
    EXPECT_EQ(memory->memory_total, std::nullopt) << text;
    EXPECT_EQ(memory->memory_used, std::nullopt) << text;
    EXPECT_EQ(memory->utilization, 5) << text;
    const auto utilization = ParseGpuLine(absl::StrCat("0, A, 2, 1, ", text));
    ASSERT_TRUE(utilization.has_value()) << text;
    EXPECT_EQ(utilization->utilization, std::nullopt) << text;
    EXPECT_EQ(utilization->memory_used, kMiB) << text;
  }
  EXPECT_EQ(ParseGpuLine("0, A, 2, 1, 101")->utilization, std::nullopt);
  EXPECT_EQ(ParseGpuLine("0, A, 2, 3, 5")->memory_used, std::nullopt) << "more than there is";
}

TEST(ParseGpuLine, OtherLinesAreRefused) {
  for (const char* line :
       {"", ",", "0", "0, A, 1, 1", "x, A, 1, 1, 1", "-1, A, 1, 1, 1", "16, A, 1, 1, 1",
        "4294967296, A, 1, 1, 1", "index, name, memory.total [MiB], memory.used [MiB], util",
        "0, A, [N/A], [N/A], [N/A]", "0,,,,", ",,,,,,,,,,",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
        "Unable to determine the device handle for GPU0: Unknown Error, a, b, c, d"}) {
    EXPECT_FALSE(ParseGpuLine(line).has_value()) << line;
  }
}

TEST(ParseGpuLine, NameMayHaveCommas) {
  EXPECT_EQ(ParseGpuLine("0, A, B, and C, 2, 1, 5")->name, "A, B, and C");
  EXPECT_EQ(ParseGpuLine("0,, 2, 1, 5")->name, "");
}

TEST(ParseGpuLine, NameIsPrintableAndShort) {
  EXPECT_EQ(ParseGpuLine("0, A\x1b[31m\tB\xff, 2, 1, 5")->name, "A\\x1b[31m\\tB\\xff");
  const std::string name =
      ParseGpuLine(absl::StrCat("0, ", std::string(900, '\x01'), ", 2, 1, 5"))->name;
  EXPECT_LE(name.size(), 400);
  EXPECT_FALSE(HasControlCharacter(name));
}

TEST(ParseGpuLine, CarriageReturnIsIgnored) {
  EXPECT_EQ(ParseGpuLine("0, A, 2, 1, 5\r")->utilization, 5);
}

class GpuRecordTest : public testing::Test {
 protected:
  GpuGauges gauges_;
  GpuRecord record_{gauges_};
};

TEST_F(GpuRecordTest, UsageOfEachGpuIsSummarized) {
  record_.Add("1, B, 200, 20, 90\n0, A, 100, 10, 0\n");
  record_.Add("0, A, 100, 30, 50\n1, B, 200, 20, 90\n0, A, 100, 20, 20\n");
  const std::vector<GpuUsage> usage = record_.Usage();
  ASSERT_EQ(usage.size(), 2);
  EXPECT_EQ(usage[0].index, 0);
  EXPECT_EQ(usage[0].name, "A");
  EXPECT_EQ(usage[0].memory_total, 100 * kMiB);
  EXPECT_EQ(usage[0].max_memory_used, 30 * kMiB);
  EXPECT_EQ(usage[0].max_gpu_percent_usage, 50);
  EXPECT_EQ(usage[0].median_gpu_percent_usage, 20);
  EXPECT_EQ(usage[0].samples, 3);
  EXPECT_EQ(usage[1].index, 1);
  EXPECT_EQ(usage[1].median_gpu_percent_usage, 90);
  EXPECT_EQ(usage[1].samples, 2);
}

TEST_F(GpuRecordTest, GaugesShowLatestSample) {
  record_.Add("0, A, 100, 30, 50\n0, A, 100, 10, [N/A]\n");
  EXPECT_EQ(gauges_[0].memory_total, 100 * kMiB);
  EXPECT_EQ(gauges_[0].memory_used, 10 * kMiB);
  EXPECT_EQ(gauges_[0].utilization, GpuGauge::kUnknown);
  EXPECT_EQ(gauges_[1].memory_total, GpuGauge::kUnknown);
}

TEST_F(GpuRecordTest, MissingValuesStayAbsent) {
  record_.Add("0, A, 100, [N/A], [N/A]\n");
  ASSERT_EQ(record_.Usage().size(), 1);
  EXPECT_EQ(record_.Usage()[0].memory_total, 100 * kMiB);
  EXPECT_EQ(record_.Usage()[0].max_memory_used, std::nullopt);
  EXPECT_EQ(record_.Usage()[0].max_gpu_percent_usage, std::nullopt);
  EXPECT_EQ(record_.Usage()[0].median_gpu_percent_usage, std::nullopt);
}

TEST_F(GpuRecordTest, PiecesAreJoined) {
  for (const char byte : absl::string_view("0, A, 100, 30, 50\n")) {
    record_.Add({&byte, 1});
  }
  ASSERT_EQ(record_.Usage().size(), 1);
  EXPECT_EQ(record_.Usage()[0].max_gpu_percent_usage, 50);
}

TEST_F(GpuRecordTest, UnfinishedLineDoesNotCount) {
  record_.Add("0, A, 100, 30, 5");  // "50" may follow
  EXPECT_TRUE(record_.Usage().empty());
}

TEST_F(GpuRecordTest, LongLineIsSkipped) {
  record_.Add("0, ");
  for (int i = 0; i < 1000; ++i) record_.Add(std::string(1000, 'A'));
  record_.Add(", 100, 30, 50\n1, B, 100, 30, 60\n");
  ASSERT_EQ(record_.Usage().size(), 1);
  EXPECT_EQ(record_.Usage()[0].index, 1);
}

TEST_F(GpuRecordTest, SixteenGpusAreKept) {
  for (int i = 0; i < 5000; ++i) record_.Add(absl::StrCat(i, ", A, 100, 30, 50\n"));
  ASSERT_EQ(record_.Usage().size(), 16);
  EXPECT_EQ(record_.Usage()[15].index, 15);
}

}  // namespace
}  // namespace sparkles
