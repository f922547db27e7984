#include "executor/command_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST(CommandEnvironmentTest, AllVariablesPassByDefault) {  // D38
  const std::vector<std::string> variables = {"PATH=/bin", "HF_TOKEN=a=b", "AWS_SECRET_ACCESS_KEY=",
                                              "GOOGLE_APPLICATION_CREDENTIALS=/k.json", "ODD"};
  const CommandEnvironment environment = MakeCommandEnvironment(variables, {});
  EXPECT_EQ(environment.variables, variables);
  EXPECT_THAT(environment.withheld, IsEmpty());
}

TEST(CommandEnvironmentTest, MatchingVariablesAreWithheld) {
  const CommandEnvironment environment = MakeCommandEnvironment(
      {"MY_TOKEN=a", "TOKENS=b", "AWS_KEY=c", "AWS_=d", "K1=e", "K12=f", "HOME=/h"},
      {.withhold = {"*_TOKEN", "AWS_*", "K[0-9]", "HOME=/other", ""}, .pass = {}});
  EXPECT_THAT(environment.variables, ElementsAre("TOKENS=b", "K12=f"));
  EXPECT_THAT(environment.withheld, ElementsAre("AWS_", "AWS_KEY", "HOME", "K1", "MY_TOKEN"));
}

TEST(CommandEnvironmentTest, ImageVariableAddsPatterns) {
  const CommandEnvironment environment =
      MakeCommandEnvironment({"A_TOKEN=a", "B=b", "C=c", "D=d", "SPARKLES_WITHHOLD_ENV=*_TOKEN, B"},
                             {.withhold = {"C"}, .pass = {}});
  EXPECT_THAT(environment.variables, ElementsAre("D=d", "SPARKLES_WITHHOLD_ENV=*_TOKEN, B"));
  EXPECT_THAT(environment.withheld, ElementsAre("A_TOKEN", "B", "C"));
}

TEST(CommandEnvironmentTest, PassedVariablesOverridePatterns) {
  const CommandEnvironment environment = MakeCommandEnvironment(
      {"A_TOKEN=a", "B_TOKEN=b"}, {.withhold = {"*_TOKEN"}, .pass = {"B_TOKEN", "NOT_SET"}});
  EXPECT_THAT(environment.variables, ElementsAre("B_TOKEN=b"));
  EXPECT_THAT(environment.withheld, ElementsAre("A_TOKEN"));
}

TEST(CommandEnvironmentTest, MonitorSecretNeverPasses) {
  const CommandEnvironment environment =
      MakeCommandEnvironment({"SPARKLES_MONITOR_SECRET=sesame", "SPARKLES_MONITOR_SECRET_2=x"},
                             {.withhold = {}, .pass = {"SPARKLES_MONITOR_SECRET"}});
  EXPECT_THAT(environment.variables, ElementsAre("SPARKLES_MONITOR_SECRET_2=x"));
  EXPECT_THAT(environment.withheld, ElementsAre("SPARKLES_MONITOR_SECRET"));
}

TEST(TaskEnvironmentTest, OuterTaskVariablesAreReplaced) {
  Task task;
  task.id = "job.7";
  task.job_id = "job";
  task.index = "7";
  const std::vector<std::string> environment =
      TaskEnvironment({"SPARKLES_TASK_ID=outer.1", "SPARKLES_TASK_DIR=/outer",
                       "SPARKLES_JOB_ID=outer", "SPARKLES_ATTEMPT=9", "SPARKLES_JOB_IDS=kept"},
                      task, /*attempt=*/2);
  EXPECT_THAT(environment, UnorderedElementsAre("SPARKLES_JOB_IDS=kept", "SPARKLES_TASK_ID=job.7",
                                                "SPARKLES_JOB_ID=job", "SPARKLES_TASK_INDEX=7",
                                                "SPARKLES_ATTEMPT=2"));
}

}  // namespace
}  // namespace sparkles
