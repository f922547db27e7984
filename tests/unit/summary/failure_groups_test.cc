#include "summary/failure_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/unit/summary/task_rows.h"

namespace sparkles {
namespace {

using testing::SizeIs;

TEST(FailureGroupsTest, NumbersIdsAndPathsAreBlanked) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {"the disk is full", "the disk is full"},
      {"downloads: in17.txt: gs://b/in/17.txt: no such object", "downloads: *: *: no such object"},
      {"uploads: out.csv (12 bytes): 403, try again.", "uploads: * (* bytes): *, try again."},
      {"args: \"a b\" and \"c\" differ", "args: \"*\" and \"*\" differ"},
      {"an open \"quote", "an open \"quote"},
      {"task sample-a failed after 10 claims...", "task sample-a failed after * claims..."},
      {"pattern [0-9] and '/tmp/x'", "pattern [*] and '*'"},
      {"\xC3\xA9t\xC3\xA9 5", "\xC3\xA9t\xC3\xA9 *"},
  };
  for (const auto& [reason, blanked] : cases) EXPECT_EQ(BlankDetails(reason), blanked);
}

TEST(FailureGroupsTest, SimilarReasonsAreOneGroup) {
  std::vector<TaskRow> rows = {EndedTask("job.0", "0"), EndedTask("job.x", "3", "exit_code", "")};
  for (int i = 1; i <= 500; ++i) {
    rows.push_back(
        FailedTask(absl::StrCat("job.", i), absl::StrCat("downloads: in", i, ".txt: file:///in/", i,
                                                         ".txt: No such file or directory")));
  }
  const std::vector<Group> groups = GroupFailures(rows);
  ASSERT_THAT(groups, SizeIs(2));
  EXPECT_EQ(groups[0].key, "downloads: *: *: No such file or directory");
  EXPECT_EQ(groups[0].count, 500U);
  EXPECT_EQ(rows[groups[0].first].id, "job.1");
  EXPECT_EQ(groups[1].key, "exit code 3");
}

TEST(FailureGroupsTest, CauseIsTheMostUsefulOne) {
  EXPECT_EQ(CauseOf(EndedTask("a", "0")), "");
  EXPECT_EQ(CauseOf(EndedTask("a", "137")), "exit code 137");
  EXPECT_EQ(CauseOf(EndedTask("a", "137", "out_of_memory", "x 7")), "out_of_memory");
  EXPECT_EQ(CauseOf(EndedTask("a", "139", "signal", "signaled(segmentation fault): not sent")),
            "signaled(segmentation fault)");
  TaskRow failed = FailedTask("a", "uploads: out.csv: no such file");
  failed.use.cause_kind = "exit_code";
  EXPECT_EQ(CauseOf(failed), "uploads: *: no such file");
  failed.use.cause_kind = "disk_full";
  EXPECT_EQ(CauseOf(failed), "disk_full");
  EXPECT_EQ(CauseOf(FailedTask("a", "")), "no reason given");
}

// A pending task can have the reason of a hand-back.
TEST(FailureGroupsTest, OnlyEndedTasksAreFailures) {
  for (const char* status : {"pending", "claimed", "abandoned", "killed"}) {
    TaskRow row = FailedTask("a", "machine fault: disk full");
    row.status = status;
    EXPECT_FALSE(IsFailure(row));
    EXPECT_EQ(CauseOf(row), "");
  }
}

}  // namespace
}  // namespace sparkles
