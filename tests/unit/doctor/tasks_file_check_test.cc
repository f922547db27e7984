#include "doctor/tasks_file_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/cancel.h"
#include "base/file.h"
#include "tests/support/finding_text.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class TasksFileCheckTest : public testing::Test {
 protected:
  std::string Check(const std::string& text) {
    EXPECT_TRUE(WriteFileAtomically(path_, text, false).ok());
    return FindingText([&](Findings& findings) { CheckTasksFile(path_, cancel_, findings); });
  }

  static std::vector<std::string> Problems(const std::string& args) {
    Task task;
    task.id = "a.1";
    task.args = args;
    return FindTaskProblems(task);
  }

  CancelToken cancel_;
  TempDirectory directory_;
  const std::string path_ = directory_ / "tasks.json";
};

TEST_F(TasksFileCheckTest, ValidTasksAreCounted) {
  EXPECT_EQ(Check(R"([{"task_id": "a.1", "args": {"command": "true"}}])"),
            "OK    " + path_ + ": has 1 valid tasks\n");
}

TEST_F(TasksFileCheckTest, EachProblemHasLine) {
  const std::string text = Check(R"([{"task_id": "a.1", "args": {"working_dir": "/x"}},
      {"task_id": "a.1", "task_index": -1, "args": {"command": "true", "stdout_url": "x"}},
      {"args": {"command": ""}}, 7])");
  for (const char* const problem :
       {"tasks[0] (task_id \"a.1\"): command: is missing or empty",
        "tasks[0] (task_id \"a.1\"): working_dir: must be relative",
        "tasks[1] (task_id \"a.1\"): task_id: is already used by tasks[0]",
        "tasks[1] (task_id \"a.1\"): task_index: must be a number",
        "tasks[1] (task_id \"a.1\"): stdout_url: x: not a file:/// or gs:// URL",
        "tasks[2]: task_id: is missing or empty", "tasks[2]: command: is missing or empty",
        "tasks[3]: must be a JSON object"}) {
    EXPECT_THAT(text, HasSubstr(std::string("FAIL  ") + path_ + ": " + problem));
  }
}

TEST_F(TasksFileCheckTest, UnreadableFileIsOneFailure) {
  EXPECT_THAT(Check("{"), AllOf(HasSubstr("FAIL  "), HasSubstr("JSON")));
}

TEST_F(TasksFileCheckTest, TimeOverIsNoFailure) {
  cancel_.Cancel(CancelKind::kAbort, "no answer within 5s");
  EXPECT_EQ(
      Check(R"([{"task_id": "a.1", "args": {"command": ""}}])"),
      "SKIP  " + path_ +
          ": not checked: the args of 1 of 1 tasks, because the time for the check is over\n");
}

TEST_F(TasksFileCheckTest, SignatureOfUrlIsHidden) {
  EXPECT_THAT(Problems(R"({"command": "true", "stdout_url": "https://h/o?Signature=secret"})"),
              ElementsAre("stdout_url: https://h/o?...: not a file:/// or gs:// URL"));
}

TEST_F(TasksFileCheckTest, UrlOfSpecIsChecked) {
  EXPECT_THAT(Problems("gs://bucket/spec.json"), IsEmpty());
  EXPECT_THAT(Problems("gs://bucket/"), ElementsAre(HasSubstr("args: gs://bucket/")));
}

TEST_F(TasksFileCheckTest, ConflictingPlacesAreNamed) {
  EXPECT_THAT(Problems(R"({"command": "true", "stdout_url": "file:///x/a",
                           "command_result_url": "file:///x/a"})"),
              ElementsAre(HasSubstr("is the place of command_result_url as well")));
}

TEST_F(TasksFileCheckTest, UseOfCloudStorageIsFound) {
  (void)Check(R"([{"task_id": "a.1", "args": "gs://b/spec"}])");
  EXPECT_TRUE(UsesCloudStorage(path_));
  (void)Check(R"([{"task_id": "a.1", "args": "{\"stdout_url\": \"gs://b/o\"}"}])");
  EXPECT_TRUE(UsesCloudStorage(path_));
  (void)Check(R"([{"task_id": "a.1", "args": {"command": "gsutil ls gs://b"}}])");
  EXPECT_FALSE(UsesCloudStorage(path_));
  EXPECT_FALSE(UsesCloudStorage(directory_ / "none"));
}

}  // namespace
}  // namespace sparkles
