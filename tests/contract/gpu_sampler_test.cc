// Tests GpuSampler with real processes in the place of nvidia-smi.
#include "process/gpu_sampler.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "process/machine_stats.h"
#include "tests/contract/posix_process_runner_fixture.h"
#include "tests/support/eventually.h"

namespace sparkles {
namespace {

class GpuSamplerTest : public PosixProcessRunnerTest {
 protected:
  void SetUp() override {
    PosixProcessRunnerTest::SetUp();
    Start();
    ASSERT_TRUE(runner_->StartSideProgram().ok());
  }

  // Installs a script as nvidia-smi. Its variable $here is the directory of the test.
  GpuSampler& Install(const std::string& script) {
    const std::string program = directory_ / "nvidia-smi";
    EXPECT_TRUE(
        WriteFileAtomically(
            program, absl::StrCat("#!/bin/sh\nhere=", directory_.path(), "\n", script), false)
            .ok());
    EXPECT_EQ(chmod(program.c_str(), 0755), 0);
    sampler_.emplace(*runner_->side_program(), NvidiaSmiCommand(program, ""), gauges_);
    return *sampler_;
  }

  bool Exists(const std::string& name) const {
    return access((directory_ / name).c_str(), F_OK) == 0;
  }

  GpuGauges gauges_;
  std::optional<GpuSampler> sampler_;
};

TEST_F(GpuSamplerTest, SamplesAreReturnedOnce) {
  GpuSampler& sampler = Install(
      "echo $# $* >$here/arguments; pwd >$here/directory; "
      "echo '0, A, 100, 10, 20'; echo noise >&2; echo '1, B, 200, 150, 90'; exec sleep 1000");
  ASSERT_TRUE(Eventually([&] {
    sampler.Sample();
    return gauges_[1].utilization == 90;
  }));
  EXPECT_EQ(gauges_[0].memory_used, 10 << 20);
  const std::vector<GpuUsage> usage = sampler.End();
  ASSERT_EQ(usage.size(), 2);
  EXPECT_EQ(usage[0].name, "A");
  EXPECT_EQ(usage[1].max_memory_used, 150 << 20);
  EXPECT_EQ(gauges_[1].utilization, GpuGauge::kUnknown);
  EXPECT_TRUE(sampler.End().empty());
  EXPECT_EQ(
      ReadFile(directory_ / "arguments", 1000).value_or(""),
      absl::StrCat("3 --query-gpu=", kGpuFields, " --format=csv,noheader,nounits --loop=1\n"));
  EXPECT_EQ(ReadFile(directory_ / "directory", 1000).value_or(""), "/\n");
}

TEST_F(GpuSamplerTest, ShortCommandStartsNothing) {
  GpuSampler& sampler = Install("echo $$ >>$here/pid; exec sleep 1000");
  for (int command = 0; command < 3; ++command) {
    for (int i = 0; i < GpuSampler::kSamplesBeforeStart; ++i) sampler.Sample();
    EXPECT_TRUE(sampler.End().empty());
  }
  // The launcher works in order, so an earlier start would have written a line, too.
  for (int i = 0; i <= GpuSampler::kSamplesBeforeStart; ++i) sampler.Sample();
  const pid_t pid = PidIn("pid");
  EXPECT_EQ(ReadFile(directory_ / "pid", 1000).value_or(""), absl::StrCat(pid, "\n"));
  sampler.End();
  EXPECT_TRUE(Eventually([&] { return !Runs(pid); }));
}

TEST_F(GpuSamplerTest, EachCommandHasItsOwnProgram) {
  GpuSampler& sampler = Install("echo '0, A, 100, 10, 20'; exec sleep 1000");
  for (int command = 0; command < 3; ++command) {
    ASSERT_TRUE(Eventually([&] {
      sampler.Sample();
      return gauges_[0].utilization == 20;
    }));
    const std::vector<GpuUsage> usage = sampler.End();
    ASSERT_EQ(usage.size(), 1);
    EXPECT_EQ(usage[0].samples, 1);
  }
}

TEST_F(GpuSamplerTest, FailedProgramIsStartedOnce) {
  GpuSampler& sampler =
      Install("echo x >>$here/starts; echo 'No devices were found'; touch $here/done; exit 6");
  ASSERT_TRUE(Eventually([&] {
    sampler.Sample();
    return Exists("done");
  }));
  for (int i = 0; i < 100; ++i) sampler.Sample();
  EXPECT_TRUE(sampler.End().empty());
  EXPECT_EQ(ReadFile(directory_ / "starts", 1000).value_or(""), "x\n");
}

TEST_F(GpuSamplerTest, EndOfProgramClearsGauges) {
  GpuSampler& sampler = Install("echo $$ >$here/pid; echo '0, A, 100, 10, 20'; exec sleep 1000");
  ASSERT_TRUE(Eventually([&] {
    sampler.Sample();
    return gauges_[0].utilization == 20;
  }));
  const pid_t pid = PidIn("pid");
  kill(pid, SIGKILL);
  ASSERT_TRUE(Eventually([&] { return !Runs(pid); }));
  sampler.Sample();
  EXPECT_EQ(gauges_[0].utilization, GpuGauge::kUnknown);
  EXPECT_EQ(sampler.End().size(), 1);
}

TEST_F(GpuSamplerTest, SilenceClearsGauges) {
  GpuSampler& sampler = Install("echo '0, A, 100, 10, 20'; exec sleep 1000");
  ASSERT_TRUE(Eventually([&] {
    sampler.Sample();
    return gauges_[0].utilization == 20;
  }));
  for (int i = 0; i < 9; ++i) sampler.Sample();
  EXPECT_EQ(gauges_[0].utilization, 20);
  sampler.Sample();
  EXPECT_EQ(gauges_[0].utilization, GpuGauge::kUnknown);
  EXPECT_EQ(sampler.End().size(), 1);
}

TEST_F(GpuSamplerTest, EndlessOutputIsReadInPortions) {
  GpuSampler& sampler = Install("exec yes '0, A, 1, 1, 1'");
  int calls = 0;
  ASSERT_TRUE(Eventually([&] {
    ++calls;
    sampler.Sample();
    return gauges_[0].utilization == 1;
  }));
  for (int i = 0; i < 20; ++i) sampler.Sample();
  const std::vector<GpuUsage> usage = sampler.End();
  ASSERT_EQ(usage.size(), 1);
  EXPECT_GT(usage[0].samples, 0);
  // A call reads at most 64 KiB and a buffer, and a line has 14 bytes.
  EXPECT_LE(usage[0].samples, (calls + 21) * (65536 + 4096) / 14);
}

TEST_F(GpuSamplerTest, ThousandsOfGpusStayBounded) {
  GpuSampler& sampler =
      Install("seq -f '%g, A, 100, 10, 20' 5000; touch $here/done; exec sleep 1000");
  ASSERT_TRUE(Eventually([&] {
    sampler.Sample();
    return Exists("done") && gauges_[kMaxGpus - 1].utilization == 20;
  }));
  EXPECT_EQ(sampler.End().size(), kMaxGpus - 1);  // seq starts with 1
}

TEST_F(GpuSamplerTest, DeadLauncherEndsSamples) {
  GpuSampler& sampler = Install("echo '0, A, 100, 10, 20'; exec sleep 1000");
  kill(runner_->side_program()->launcher_pid(), SIGKILL);
  for (int i = 0; i < 20; ++i) sampler.Sample();
  EXPECT_TRUE(sampler.End().empty());
  EXPECT_EQ(WEXITSTATUS(Run("exit 3").wait_status), 3);
}

// A sampler of the machine that is destroyed early must leave no nvidia-smi.
TEST_F(GpuSamplerTest, ProgramEndsWithMachineSampler) {
  GpuSampler& sampler = Install("echo $$ >$here/pid; exec sleep 1000");
  pid_t pid = 0;
  {
    const MachineSampler machine("", "/proc", &sampler);
    pid = PidIn("pid");
    EXPECT_TRUE(Runs(pid));
  }
  EXPECT_TRUE(Eventually([&] { return !Runs(pid); }));
}

}  // namespace
}  // namespace sparkles
