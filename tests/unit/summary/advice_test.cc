#include "summary/advice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/summary/task_rows.h"

namespace sparkles {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Advice AdviceOn(const std::vector<TaskRow>& rows) { return Advise(rows, ComputeStatistics(rows)); }

// The advice for five tasks that used this.
std::string TextFor(double cpus, double bytes, double machine_cpus = 4,
                    double machine_bytes = 16e9) {
  return AdviceOn(std::vector<TaskRow>(5, MeasuredTask(cpus, bytes, machine_cpus, machine_bytes)))
      .text;
}

TEST(AdviceTest, SmallerMachineIsNamed) {
  EXPECT_EQ(TextFor(0.9, 3.1e9),
            "Peak memory 3.1 GB of 16.0 GB, CPU 0.9 of 4: half this machine would do for one "
            "task at a time; this machine has room for 3 (--slots 3).");
  EXPECT_THAT(TextFor(0.5, 1e9), HasSubstr(": a quarter of this machine would do for one"));
  EXPECT_THAT(TextFor(0.5, 1e9, 1), HasSubstr(": this machine is right, but a quarter of its "
                                              "memory would do."));
  EXPECT_THAT(TextFor(3.9, 3e9), HasSubstr(": this machine is right, but half its memory would "));
  EXPECT_THAT(TextFor(0.5, 9e9), EndsWith(", but a quarter of its processors would do."));
  EXPECT_THAT(TextFor(4, 9e9), EndsWith(": this machine is right."));
  EXPECT_THAT(TextFor(1, 15e9), EndsWith(": use a machine with more memory."));
}

TEST(AdviceTest, MachineIsNeverTooSmall) {
  for (double bytes = 1e8; bytes < 16e9; bytes *= 1.01) {
    for (const double cpus : {0.01, 0.4, 0.8, 0.9, 1.6, 1.7, 3.0, 4.0}) {
      const std::string text = TextFor(cpus, bytes);
      const double part = text.find("half this") != std::string::npos         ? 0.5
                          : text.find("quarter of this") != std::string::npos ? 0.25
                                                                              : 1;
      if (part == 1) continue;
      EXPECT_GE(16e9 * part, bytes * 1.2) << text;
      EXPECT_GE(4 * part, cpus * 1.2) << text;
    }
  }
}

TEST(AdviceTest, TasksAtATimeFitWithHeadroom) {
  for (const double cpus : {0.0, 0.3, 1.0, 1.6, 4.0}) {
    for (const double bytes : {0.0, 1e6, 2e9, 4e9, 14e9, 17e9}) {
      const Advice advice = AdviceOn(std::vector<TaskRow>(5, MeasuredTask(cpus, bytes, 4, 16e9)));
      EXPECT_LE(advice.tasks_at_a_time, 4);
      EXPECT_LE(advice.tasks_at_a_time * cpus * 1.2, 4);
      if (advice.tasks_at_a_time > 0) {
        EXPECT_LE(advice.tasks_at_a_time * bytes * 1.2, 15.5e9);
      }
    }
  }
  EXPECT_EQ(AdviceOn(std::vector<TaskRow>(5, MeasuredTask(0, 0))).tasks_at_a_time, 4);
}

TEST(AdviceTest, FewTasksGiveNoAdvice) {
  std::vector<TaskRow> rows(4, MeasuredTask(1, 1e9));
  rows.push_back(FailedTask("job.5", "x"));
  rows.push_back(MeasuredTask(1, 1e9));
  rows.back().exit_code = "1";
  rows.push_back(MeasuredTask(1, 1e9));
  rows.back().use.machine = {};
  const Advice advice = AdviceOn(rows);
  EXPECT_EQ(advice.text,
            "No advice on the machine: 4 tasks have ended with exit code 0 and reported CPU, "
            "memory and machine, and 5 are needed.");
  EXPECT_FALSE(advice.cpus || advice.memory_bytes);
  EXPECT_EQ(advice.tasks_at_a_time, 0);
}

TEST(AdviceTest, MaximumOfFailedTasksCounts) {
  std::vector<TaskRow> rows(5, MeasuredTask(0.5, 1e9));
  rows.push_back(MeasuredTask(3.9, 12e9));
  rows.back().exit_code = "1";
  EXPECT_THAT(AdviceOn(rows).text, StartsWith("Peak memory 12.0 GB of 16.0 GB, CPU 3.9 of 4: "));
}

TEST(AdviceTest, LackOfMemoryAsksForMore) {
  std::vector<TaskRow> rows(5, MeasuredTask(0.5, 1e9));
  rows.push_back(EndedTask("job.6", "137", "out_of_memory", "x"));
  const Advice advice = AdviceOn(rows);
  EXPECT_EQ(advice.text,
            "Peak memory 1.0 GB of 16.0 GB, CPU 0.5 of 4. 1 task ran out of memory: use a machine "
            "with more memory.");
  EXPECT_FALSE(advice.memory_bytes);
  EXPECT_EQ(advice.tasks_at_a_time, 0);
  EXPECT_EQ(AdviceOn({rows.back(), rows.back()}).text,
            "2 tasks ran out of memory: use a machine with more memory.");
}

TEST(AdviceTest, FullDiskAsksForLargerDisk) {
  std::vector<TaskRow> rows(5, MeasuredTask(0.5, 1e9));
  rows.push_back(EndedTask("job.6", "1", "disk_full", "x"));
  EXPECT_THAT(AdviceOn(rows).text,
              EndsWith("(--slots 4). 1 task found the disk full: use a larger disk."));
}

TEST(AdviceTest, UnfinishedTasksAreMentioned) {
  std::vector<TaskRow> rows(5, MeasuredTask(0.5, 1e9));
  rows.emplace_back().status = "claimed";
  rows.emplace_back().status = "pending";
  rows.emplace_back().status = "killed";
  EXPECT_THAT(AdviceOn(rows).text, EndsWith(" 2 tasks have not ended."));
}

TEST(AdviceTest, BusyProcessorsAreMentioned) {
  const char* const sentence =
      " Other work kept the processors busy: alone, a task may use more CPU.";
  std::vector<TaskRow> rows(5, MeasuredTask(0.5, 1e9));
  for (size_t i = 0; i < 3; ++i) rows[i].use.busy_percent = 95;
  EXPECT_THAT(AdviceOn(rows).text, HasSubstr(sentence));
  rows[0].use.busy_percent = 60;
  EXPECT_THAT(AdviceOn(rows).text, Not(HasSubstr(sentence)));
  rows[0] = MeasuredTask(3.8, 1e9);  // the busy processors are its own
  rows[0].use.busy_percent = 95;
  EXPECT_THAT(AdviceOn(rows).text, Not(HasSubstr(sentence)));
}

TEST(AdviceTest, MostUsedMachineIsNamed) {
  std::vector<TaskRow> rows(6, MeasuredTask(0.5, 1e9));
  for (TaskRow& row : rows) row.use.machine.type = "n1-standard-4";
  rows[0].use.machine = {"n1-standard-1", 1, 4e9};
  EXPECT_THAT(AdviceOn(rows).text, HasSubstr(" of 4: a quarter of the most used machine would do"));
}

}  // namespace
}  // namespace sparkles
