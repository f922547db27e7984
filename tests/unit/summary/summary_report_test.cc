#include "summary/summary_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "tests/unit/summary/task_rows.h"

namespace sparkles {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Report Example(const RowChoice& choice = {}) {
  std::vector<TaskRow> rows = {MeasuredTask(0.5, 1e9), FailedTask("job.2", "downloads: no 'x'"),
                               EndedTask("job.3", "3", "exit_code", "x")};
  return MakeReport(std::move(rows), choice);
}

TEST(SummaryReportTest, TableEndsWithStatistics) {
  EXPECT_EQ(FormatTable(Example(), 0),
            "TASK   STATUS    EXIT  WALL      CPU  PEAK MEMORY  OUTPUTS  REASON\n"
            "job.1  complete  0     100.00 s  0.5  1.0 GB       2\n"
            "job.2  failed    -     -         -    -            -        downloads: no 'x'\n"
            "job.3  complete  3     -         -    -            -\n"
            "\n"
            "3 tasks: 2 complete, 1 failed\n"
            "\n"
            "             MIN       MEDIAN    P95       MAX       TASKS\n"
            "WALL         100.00 s  100.00 s  100.00 s  100.00 s  1\n"
            "CPU          0.5       0.5       0.5       0.5       1\n"
            "PEAK MEMORY  1.0 GB    1.0 GB    1.0 GB    1.0 GB    1\n"
            "\n"
            "Machine: 4 processors, 16.0 GB of memory (1 task)\n"
            "No advice on the machine: 1 task has ended with exit code 0 and reported CPU, memory "
            "and machine, and 5 are needed.\n"
            "\n"
            "COUNT  CAUSE OF FAILURE   EXAMPLE\n"
            "1      downloads: no 'x'  job.2: downloads: no 'x'\n"
            "1      exit code 3        job.3\n");
}

TEST(SummaryReportTest, FailedOnlyKeepsStatistics) {
  const std::string table = FormatTable(Example({.failed_only = true}), 0);
  EXPECT_THAT(table, Not(HasSubstr("job.1")));
  EXPECT_THAT(table, HasSubstr("\n3 tasks: 2 complete, 1 failed\n"));
  EXPECT_THAT(table, HasSubstr("\nCPU          0.5 "));
}

TEST(SummaryReportTest, ControlCharactersAreEscapedInTable) {
  const Report report = MakeReport({FailedTask("a\x1B[2J", "line\nline\x07")}, {});
  const std::string table = FormatTable(report, 0);
  EXPECT_THAT(table, HasSubstr("a\\x1b[2J  failed"));
  EXPECT_THAT(table, HasSubstr("line\\nline\\x07"));
  EXPECT_EQ(table.find('\x1B'), std::string::npos);
}

TEST(SummaryReportTest, ManyCausesAreAddedUp) {
  std::vector<TaskRow> rows;
  for (int i = 0; i < 30; ++i) {
    rows.push_back(FailedTask("job", std::string(static_cast<size_t>(i) + 1, 'x')));
  }
  EXPECT_THAT(FormatTable(MakeReport(std::move(rows), {}), 0), EndsWith("\n10     other causes\n"));
}

TEST(SummaryReportTest, JsonHasRowsAndStatistics) {
  const auto json = ParseJson(FormatJson(Example({.sort_by = "task", .reverse = true})));
  ASSERT_TRUE(json.ok()) << json.status();
  const Json& tasks = (*json)["tasks"];
  ASSERT_EQ(tasks.size(), 3U);
  EXPECT_EQ(tasks[0]["task_id"], "job.3");
  EXPECT_EQ(tasks[0]["exit_code"], 3);
  EXPECT_EQ(tasks[0]["cause"], "exit code 3");
  EXPECT_TRUE(tasks[0]["wall_seconds"].is_null());
  EXPECT_EQ(tasks[1]["failed"], true);
  EXPECT_EQ(tasks[2]["cpus_used"], 0.5);
  EXPECT_EQ(tasks[2]["peak_memory_bytes"], 1'000'000'000);
  EXPECT_EQ(tasks[2]["machine_cpus"], 4);
  const Json& statistics = (*json)["statistics"];
  EXPECT_EQ(statistics["tasks"], 3);
  EXPECT_EQ(statistics["statuses"][0]["status"], "complete");
  EXPECT_EQ(statistics["statuses"][0]["tasks"], 2);
  EXPECT_EQ(statistics["wall_seconds"]["p95"], 100);
  EXPECT_EQ(statistics["failures"][0]["example_task_id"], "job.2");
  EXPECT_EQ(statistics["machines"][0]["tasks"], 1);
  EXPECT_TRUE((*json)["advice"]["needed_cpus"].is_null());
  EXPECT_THAT((*json)["advice"]["text"].get<std::string>(), StartsWith("No advice"));
}

TEST(SummaryReportTest, EmptySummaryIsValid) {
  const auto json = ParseJson(FormatJson(MakeReport({}, {})));
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_TRUE((*json)["tasks"].empty());
  EXPECT_TRUE((*json)["statistics"]["wall_seconds"]["max"].is_null());
  EXPECT_THAT(FormatTable(MakeReport({}, {}), 80), HasSubstr("\n0 tasks\n"));
}

TEST(SummaryReportTest, CsvQuotesAsInRfc4180) {
  const std::string csv =
      FormatCsv(MakeReport({MeasuredTask(0.5, 1e9), FailedTask("a,b", "say \"no\"\nto 5")}, {}));
  EXPECT_EQ(csv,
            "task_id,status,failed,exit_code,wall_seconds,cpu_seconds,cpus_used,peak_memory_bytes,"
            "outputs,machine_type,machine_cpus,machine_memory_bytes,cause,reason\r\n"
            "job.1,complete,false,0,100.0,50.0,0.5,1000000000,2,,4,16000000000,,\r\n"
            "\"a,b\",failed,true,,,,,,,,,,\"say \"\"*\"\"\nto *\",\"say \"\"no\"\"\nto 5\"\r\n");
}

}  // namespace
}  // namespace sparkles
