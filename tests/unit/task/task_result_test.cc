#include "task/task_result.h"

#include <gtest/gtest.h>

namespace sparkles {
namespace {

CommandRun SomeRun() {
  CommandRun run;
  run.return_code = "0";
  run.usage.user_cpu = absl::Seconds(1) + absl::Microseconds(5);
  run.usage.system_cpu = absl::Microseconds(7);
  run.usage.max_rss_kb = 10240;
  run.usage.block_input_ops = 3;
  run.usage.block_output_ops = 4;
  run.start = absl::FromUnixMillis(1'770'000'000'100);
  run.end = absl::FromUnixMillis(1'770'000'009'900);
  run.usage.read_bytes = 4096;
  run.usage.write_bytes = 8192;
  run.usage.peak_processes = 3;
  run.usage.peak_rss_kb = 20480;
  run.machine.samples = 9;
  run.machine.least_free = {.known = true, .bytes = 77, .no_inodes = false};
  run.machine.machine_type = "n1-standard-1";
  run.machine.memory_total = 8;
  run.machine.number_of_cpus = 2;
  run.machine.max_memory_in_use = 6;
  run.machine.p95_memory_in_use = 5;
  run.machine.median_memory_in_use = 4;
  run.machine.max_user_cpu_percent_usage = 99.5;
  run.machine.p95_user_cpu_percent_usage = 50;
  run.machine.median_user_cpu_percent_usage = 0.25;
  return run;
}

TEST(TaskResultTest, AllKeysKeepOriginalOrder) {
  TaskResult result;
  result.command = "sort < in > out.csv";
  result.parameters = {{"index", "1"}};
  result.run = SomeRun();
  result.files = {{"out.csv", "gs://b/job/1/out.csv", 12, 0xE3069283, 17}};
  EXPECT_EQ(
      FormatTaskResult(result),
      R"({"command":"sort < in > out.csv","parameters":{"index":"1"},"return_code":"0",)"
      R"("files":[{"src":"out.csv","dst_url":"gs://b/job/1/out.csv","size":12,)"
      R"("crc32c":3808858755,"generation":17}],)"
      R"("resource_usage":{"user_cpu_time":{"Sec":1,"Usec":5},"system_cpu_time":)"
      R"({"Sec":0,"Usec":7},"max_memory_size":10240,"shared_memory_size":0,)"
      R"("unshared_memory_size":0,"block_input_ops":3,"block_output_ops":4,)"
      R"("start_time":1770000000.1,"end_time":1770000009.9,"elapsed_time":9.8,)"
      R"("read_bytes":4096,"write_bytes":8192,"peak_processes":3,"peak_memory_size":20480},)"
      R"("machine_stats":{"machine_type":"n1-standard-1","memory_total":8,"number_of_cpus":2,)"
      R"("max_memory_in_use":6,"p95_memory_in_use":5,"median_memory_in_use":4,)"
      R"("max_user_cpu_percent_usage":99.5,"p95_user_cpu_percent_usage":50.0,)"
      R"("median_user_cpu_percent_usage":0.25,"samples":9,"min_disk_free":77}})");
}

TEST(TaskResultTest, GpusFollowMachineStats) {
  TaskResult result;
  result.run = SomeRun();
  std::vector<GpuUsage>& gpus = result.run->machine.gpus;
  gpus.resize(2);
  gpus[0].name = "Tesla T4";
  gpus[0].memory_total = 100;
  gpus[0].max_memory_used = 30;
  gpus[0].max_gpu_percent_usage = 95;
  gpus[0].median_gpu_percent_usage = 12.5;
  gpus[0].samples = 4;
  gpus[1].index = 2;
  gpus[1].name = "A \"B\"";
  gpus[1].samples = 1;
  EXPECT_NE(FormatTaskResult(result).find(
                R"("samples":9,"min_disk_free":77,"gpus":[{"index":0,"name":"Tesla T4",)"
                R"("memory_total":100,"max_memory_used":30,"max_gpu_percent_usage":95.0,)"
                R"("median_gpu_percent_usage":12.5,"samples":4},)"
                R"({"index":2,"name":"A \"B\"","samples":1}]}})"),
            std::string::npos)
      << FormatTaskResult(result);
}

// D27: the old worker wrote no result when it could not run the command.
TEST(TaskResultTest, MissingRunOmitsRunKeys) {
  TaskResult result;
  result.command = "true";
  result.failure_reason = "gs://b/x: no such object";
  EXPECT_EQ(FormatTaskResult(result),
            R"({"command":"true","files":[],"failure_reason":"gs://b/x: no such object"})");
}

TEST(TaskResultTest, SkippedFilesHaveReasons) {
  TaskResult result;
  result.command = "true";
  result.skipped = {{"dead", "dangling symlink"}, {"pipe", "not a regular file"}};
  EXPECT_EQ(FormatTaskResult(result),
            R"({"command":"true","files":[],"skipped":[{"src":"dead","reason":"dangling symlink"},)"
            R"({"src":"pipe","reason":"not a regular file"}]})");
}

TEST(TaskResultTest, UnmatchedPatternsAreListed) {
  TaskResult result;
  result.command = "true";
  result.unmatched_patterns = {"*.csv", "a/**"};
  EXPECT_EQ(FormatTaskResult(result),
            R"({"command":"true","files":[],"unmatched_patterns":["*.csv","a/**"]})");
}

TEST(TaskResultTest, CheckpointIsDescribed) {
  TaskResult result;
  result.command = "true";
  result.checkpoint = {.restored_from_attempt = 2,
                       .saved_at = absl::UnixEpoch() + absl::Milliseconds(1500),
                       .files = 3,
                       .bytes = 70,
                       .saves = 4};
  EXPECT_EQ(FormatTaskResult(result),
            R"({"command":"true","files":[],"checkpoint":{"restored_from_attempt":2,)"
            R"("saved_at":1.5,"files":3,"bytes":70,"saves":4}})");
  result.checkpoint->restored_from_attempt.reset();
  EXPECT_EQ(FormatTaskResult(result), R"({"command":"true","files":[],"checkpoint":{)"
                                      R"("saved_at":1.5,"files":3,"bytes":70,"saves":4}})");
}

TEST(TaskResultTest, EmptyParametersAreOmitted) {
  TaskResult result;
  result.command = "true";
  result.parameters = Json::object();
  EXPECT_EQ(FormatTaskResult(result), R"({"command":"true","files":[]})");
}

TEST(TaskResultTest, ParametersKeepAnyJson) {
  TaskResult result;
  result.command = "true";
  result.parameters =
      *ParseJson(R"({"a": [1, 2.5, null, {"b": false}], "n": 18446744073709551615})");
  EXPECT_EQ(FormatTaskResult(result),
            R"({"command":"true","parameters":{"a":[1,2.5,null,{"b":false}],)"
            R"("n":18446744073709551615},"files":[]})");
}

TEST(TaskResultTest, AnyTextGivesOneJsonLine) {
  TaskResult result;
  result.command = "echo '\"\\\n\t\x01'";
  result.failure_reason = "\xff\xfe";
  const std::string text = FormatTaskResult(result);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const auto json = ParseJson(text);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ((*json)["command"], result.command);
  EXPECT_EQ((*json)["failure_reason"], "\xEF\xBF\xBD\xEF\xBF\xBD");
}

}  // namespace
}  // namespace sparkles
