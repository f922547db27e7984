#include "monitor/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace sparkles {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class HealthTest : public testing::Test {
 protected:
  HealthAnswer Ask(absl::string_view path) {
    return AnswerHealth(path, {.metrics = metrics_,
                               .now = now_,
                               .version = "1.2.3",
                               .stopping = stopping_,
                               .queue_is_remote = remote_});
  }

  WorkerMetrics metrics_;
  absl::Time now_ = absl::FromUnixSeconds(1'769'860'800);
  bool stopping_ = false;
  bool remote_ = true;
};

TEST_F(HealthTest, StallMakesWorkerUnhealthy) {
  EXPECT_EQ(Ask("/healthz").status, 200);
  metrics_.stalled = true;
  EXPECT_EQ(Ask("/healthz").status, 503);
  metrics_.stalled = false;
  EXPECT_EQ(Ask("/healthz").status, 200);
}

TEST_F(HealthTest, ReadyWhileQueueAnswers) {
  EXPECT_EQ(Ask("/readyz").status, 503) << "the queue has never answered";
  metrics_.queue_answered_ms = absl::ToUnixMillis(now_);
  EXPECT_EQ(Ask("/readyz").status, 200);
  now_ += absl::Minutes(3);
  EXPECT_THAT(Ask("/readyz").body, HasSubstr("has not answered for 180 s"));
  EXPECT_EQ(Ask("/readyz").status, 503);
  remote_ = false;
  EXPECT_EQ(Ask("/readyz").status, 200) << "a tasks file needs no answers";
}

TEST_F(HealthTest, NotReadyWhenMachineIsUnfit) {
  metrics_.machine_unfit = true;
  EXPECT_THAT(Ask("/readyz").body, HasSubstr("unfit machine")) << "before the first claim";
  metrics_.queue_answered_ms = absl::ToUnixMillis(now_);
  EXPECT_EQ(Ask("/readyz").status, 503);
  remote_ = false;
  EXPECT_EQ(Ask("/readyz").status, 503);
  metrics_.machine_unfit = false;
  EXPECT_EQ(Ask("/readyz").status, 200);
}

TEST_F(HealthTest, NotReadyWhenStopping) {
  metrics_.queue_answered_ms = absl::ToUnixMillis(now_);
  stopping_ = true;
  EXPECT_EQ(Ask("/readyz").status, 503);
  EXPECT_EQ(Ask("/healthz").status, 200);
}

TEST_F(HealthTest, OtherPathsAreNotFound) {
  for (const char* path : {"/", "/metrics/", "/healthz?", "", "/../metrics"}) {
    EXPECT_EQ(Ask(path).status, 404) << path;
  }
}

TEST_F(HealthTest, MetricsShowCountedValues) {
  metrics_.complete.Add(3);
  metrics_.bytes_downloaded.Add(1000);
  metrics_.cache_hits.Add();
  metrics_.log_parts_sent.Add();
  metrics_.claim_time.Add(absl::Milliseconds(20));
  metrics_.claim_time.Add(absl::Hours(1));
  const std::string text = Ask("/metrics").body;
  EXPECT_THAT(text, HasSubstr("sparkles_build_info{version=\"1.2.3\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("sparkles_tasks_total{outcome=\"complete\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("sparkles_transfer_bytes_total{direction=\"download\"} 1000\n"));
  EXPECT_THAT(text, HasSubstr("sparkles_log_sends_total{kind=\"whole\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("sparkles_log_sends_total{kind=\"part\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("sparkles_cache_lookups_total{result=\"hit\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("sparkles_queue_call_seconds_bucket{call=\"claim\",le=\"0.01\"} 0\n"));
  EXPECT_THAT(text,
              HasSubstr("sparkles_queue_call_seconds_bucket{call=\"claim\",le=\"0.03\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("sparkles_queue_call_seconds_bucket{call=\"claim\",le=\"100\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("sparkles_queue_call_seconds_bucket{call=\"claim\",le=\"+Inf\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("sparkles_queue_call_seconds_sum{call=\"claim\"} 3600.02\n"));
  EXPECT_THAT(text, HasSubstr("sparkles_queue_call_seconds_count{call=\"claim\"} 2\n"));
}

TEST_F(HealthTest, OnlyKnownGpuValuesAreShown) {
  EXPECT_THAT(Ask("/metrics").body, Not(HasSubstr("sparkles_gpu")));
  metrics_.gpus[0].memory_total = 15'360'000'000;
  metrics_.gpus[3].memory_total = 0;
  metrics_.gpus[3].utilization = 100;
  const std::string text = Ask("/metrics").body;
  EXPECT_THAT(text, HasSubstr("sparkles_gpu_memory_total_bytes{gpu=\"0\"} 15360000000\n"));
  EXPECT_THAT(text, HasSubstr("sparkles_gpu_memory_total_bytes{gpu=\"3\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("sparkles_gpu_utilization_percent{gpu=\"3\"} 100\n"));
  EXPECT_THAT(text, Not(HasSubstr("percent{gpu=\"0\"}")));
  EXPECT_THAT(text, Not(HasSubstr("sparkles_gpu_memory_used_bytes")));
}

// A scraper requires a type before the samples of each name, each sample once, and numbers.
TEST_F(HealthTest, MetricsAreWellFormed) {
  for (GpuGauge& gauge : metrics_.gpus) gauge.memory_used = 1;
  std::set<std::string> typed;
  std::set<std::string> samples;
  const std::string text = Ask("/metrics").body;
  ASSERT_TRUE(absl::EndsWith(text, "\n"));
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (words[0] == "#") {
      ASSERT_GE(words.size(), 4) << line;
      if (words[1] == "TYPE") typed.insert(words[2]);
      continue;
    }
    ASSERT_EQ(words.size(), 2) << line;
    double value = -1;
    EXPECT_TRUE(absl::SimpleAtod(words[1], &value)) << line;
    EXPECT_TRUE(samples.insert(words[0]).second) << "twice: " << line;
    std::string name = words[0].substr(0, words[0].find('{'));
    for (const char* suffix : {"_bucket", "_sum", "_count"}) {
      const std::string whole = name.substr(0, name.rfind(suffix));
      if (absl::EndsWith(name, suffix) && typed.contains(whole)) name = whole;
    }
    EXPECT_TRUE(typed.contains(name)) << line;
  }
  EXPECT_GT(samples.size(), 30);
}

TEST_F(HealthTest, SummaryIsOneLineOfCounts) {
  metrics_.claimed.Add(7);
  metrics_.failed.Add(2);
  metrics_.storage_retries.Add(3);
  metrics_.datastore_retries.Add(1);
  const std::string line = SummaryLine(metrics_);
  EXPECT_THAT(line, HasSubstr("claimed 7,"));
  EXPECT_THAT(line, HasSubstr("failed 2,"));
  EXPECT_THAT(line, HasSubstr("retries 4,"));
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace sparkles
