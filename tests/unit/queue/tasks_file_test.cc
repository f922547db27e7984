#include "queue/tasks_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

TasksFile Parsed(const std::string& text) {
  auto file = ParseTasksFile(text);
  EXPECT_TRUE(file.ok()) << file.status();
  return file.ok() ? *std::move(file) : TasksFile();
}

// The problems of the array with only this entry.
std::vector<std::string> ProblemsOf(const std::string& entry) {
  return Parsed("[" + entry + "]").problems;
}

TEST(TasksFileTest, IdAndArgsAreEnough) {
  const TasksFile file = Parsed(R"([{"task_id": "job.7", "args": "{\"command\": \"true\"}"}])");
  EXPECT_THAT(file.problems, IsEmpty());
  ASSERT_EQ(file.tasks.size(), 1u);
  const Task& task = file.tasks[0].task;
  EXPECT_EQ(task.id, "job.7");
  EXPECT_EQ(task.job_id, "job");
  EXPECT_EQ(task.index, "7");
  EXPECT_EQ(task.args, R"({"command": "true"})");
}

TEST(TasksFileTest, ArgsAcceptObjectTextOrUrl) {
  const TasksFile file = Parsed(R"([{"task_id": "a", "args": {"command": "true"}},
                                    {"task_id": "b", "args": "gs://b/spec.json"},
                                    {"task_id": "c", "args": "{\n}"}])");
  EXPECT_THAT(file.problems, IsEmpty());
  EXPECT_EQ(file.tasks[0].task.args, R"({"command":"true"})");
  EXPECT_EQ(file.tasks[1].task.args, "gs://b/spec.json");
  EXPECT_EQ(file.tasks[2].task.args, "{\n}");
}

TEST(TasksFileTest, ClientEntryIsAccepted) {
  const TasksFile file = Parsed(R"([{"task_id": "j.1", "task_index": 1, "job_id": "other",
    "status": "claimed", "owner": null, "monitor_address": "", "args": "{}", "history": [{}],
    "command_result_url": "gs://b/r", "failure_reason": null, "version": 1, "exit_code": null,
    "cluster": "c", "log_url": "gs://b/l", "last_updated": 1.5}])");
  EXPECT_THAT(file.problems, IsEmpty());
  const Task& task = file.tasks[0].task;
  EXPECT_EQ(task.job_id, "other");
  EXPECT_EQ(task.index, "1");
  EXPECT_EQ(task.command_result_url, "gs://b/r");
  EXPECT_EQ(task.log_url, "gs://b/l");
}

TEST(TasksFileTest, MissingJobAndIndexAreDerived) {
  const TasksFile file = Parsed(R"([{"task_id": "a.b.12", "args": {}}, {"task_id": "x", "args": {}},
    {"task_id": "x.y", "args": {}}, {"task_id": ".5", "args": {}}, {"task_id": "x.", "args": {}},
    {"task_id": "q.1", "args": {}, "task_index": "09"}])");
  std::vector<std::string> jobs;
  std::vector<std::string> indices;
  for (const FileTask& task : file.tasks) {
    jobs.push_back(task.task.job_id);
    indices.push_back(task.task.index);
  }
  EXPECT_THAT(jobs, ElementsAre("a.b", "x", "x.y", ".5", "x.", "q"));
  EXPECT_THAT(indices, ElementsAre("12", "2", "3", "4", "5", "09"));
}

TEST(TasksFileTest, EntryWithoutValidIdIsDropped) {
  EXPECT_THAT(ProblemsOf("7"), ElementsAre("tasks[0]: must be a JSON object"));
  EXPECT_THAT(ProblemsOf("null"), ElementsAre("tasks[0]: must be a JSON object"));
  EXPECT_THAT(ProblemsOf("{}"), ElementsAre("tasks[0]: task_id: is missing or empty"));
  EXPECT_THAT(ProblemsOf(R"({"task_id": ""})"),
              ElementsAre("tasks[0]: task_id: is missing or empty"));
  EXPECT_THAT(ProblemsOf(R"({"task_id": 5})"), ElementsAre("tasks[0]: task_id: must be a string"));
  EXPECT_THAT(ProblemsOf(R"({"task_id": "a\nb"})"),
              ElementsAre("tasks[0]: task_id: holds a control character"));
  EXPECT_THAT(ProblemsOf("{\"task_id\": \"" + std::string(1501, 'x') + "\"}"),
              ElementsAre("tasks[0]: task_id: is longer than 1500 bytes"));
  EXPECT_THAT(Parsed(R"([{"args": {}}])").tasks, IsEmpty());
}

TEST(TasksFileTest, TaskWithInvalidFieldsIsKept) {
  const std::string id = R"({"task_id": "x.3", )";
  const auto problem = [&](const std::string& rest) {
    const TasksFile file = Parsed("[" + id + rest + "}]");
    EXPECT_EQ(file.tasks.size(), 1u);
    EXPECT_THAT(file.problems, ElementsAre("tasks[0] (task_id \"x.3\"): " + file.tasks[0].problem));
    return file.tasks[0].problem;
  };
  EXPECT_EQ(problem(R"("args": null)"), "args: is missing or empty");
  EXPECT_EQ(problem(R"("args": "")"), "args: is missing or empty");
  EXPECT_EQ(problem(R"("args": [])"), "args: must be a JSON object or a string");
  EXPECT_EQ(problem(R"("args": {}, "job_id": 5)"), "job_id: must be a string");
  EXPECT_EQ(problem(R"("args": {}, "job_id": "\u0000")"), "job_id: holds a control character");
  EXPECT_EQ(problem(R"("args": {}, "log_url": {})"), "log_url: must be a string");
  for (const std::string index : {"-1", "1.5", "\"x\"", "\"\"", "true"}) {
    EXPECT_EQ(problem(R"("args": {}, "task_index": )" + index),
              "task_index: must be a number that is not negative");
  }
}

TEST(TasksFileTest, AllInvalidFieldsAreNamed) {
  EXPECT_THAT(ProblemsOf(R"({"task_id": "a", "task_index": -1, "log_url": 5})"),
              ElementsAre("tasks[0] (task_id \"a\"): task_index: must be a number that is not "
                          "negative; log_url: must be a string; args: is missing or empty"));
  // Also of an entry that cannot be a task.
  EXPECT_THAT(ProblemsOf(R"({"args": 7, "job_id": 5})"),
              ElementsAre("tasks[0]: task_id: is missing or empty",
                          "tasks[0]: job_id: must be a string; args: must be a JSON object or a "
                          "string"));
}

TEST(TasksFileTest, SpecsAreCheckedOnRequest) {
  const auto check = [](const Task& task) { return std::vector<std::string>{task.args, "no"}; };
  const auto file = ParseTasksFile(R"([{"task_id": "a", "args": "{}"}, {"args": "x"}])", check);
  ASSERT_TRUE(file.ok());
  EXPECT_THAT(file->problems,
              ElementsAre("tasks[0] (task_id \"a\"): {}", "tasks[0] (task_id \"a\"): no",
                          "tasks[1]: task_id: is missing or empty", "tasks[1]: x", "tasks[1]: no"));
}

TEST(TasksFileTest, DuplicateIdIsReported) {
  const TasksFile file = Parsed(R"([{"task_id": "a", "args": {}}, {"task_id": "b", "args": {}},
                                    {"task_id": "a", "args": {"command": "true"}},
                                    {"task_id": "c", "args": {}}])");
  EXPECT_THAT(file.problems,
              ElementsAre("tasks[2] (task_id \"a\"): task_id: is already used by tasks[0]"));
  ASSERT_EQ(file.tasks.size(), 3u);
  EXPECT_EQ(file.tasks[0].task.args, "{}");
  EXPECT_EQ(file.tasks[2].task.id, "c");
}

TEST(TasksFileTest, EachJsonLineIsOneTask) {
  const TasksFile file = Parsed(
      "\xEF\xBB\xBF{\"task_id\": \"j.7\", \"args\": {}}\r\n\n"
      "{\"task_id\": \"x\", \"args\": {}}");
  EXPECT_THAT(file.problems, IsEmpty());
  ASSERT_EQ(file.tasks.size(), 2u);
  EXPECT_EQ(file.tasks[0].task.index, "7");
  EXPECT_EQ(file.tasks[1].task.index, "2");
}

TEST(TasksFileTest, InvalidLinesAreNamedByNumber) {
  const TasksFile file = Parsed(
      "\n{\"task_id\": \"a\", \"args\": {}}\noops\n[]\n"
      "{\"task_id\": \"a\", \"args\": {}}\n{\"command\": \"true\"}\n"
      "{\"task_id\": \"b\", \"args\": {}}\n{\"task_id\": \"c\", ");
  EXPECT_THAT(
      file.problems,
      ElementsAre("line 3: is not valid JSON at column 1", "line 4: must be a JSON object",
                  "line 5 (task_id \"a\"): task_id: is already used by line 2",
                  "line 6: is the spec of a task; write {\"task_id\": NAME, \"args\": SPEC}",
                  "line 8: is not complete: it has no line end, and is not valid JSON at "
                  "column 18"));
  EXPECT_EQ(file.tasks.size(), 2u);
}

TEST(TasksFileTest, SpecInsteadOfTaskIsReported) {
  EXPECT_THAT(ProblemsOf(R"({"command": "true"})"),
              ElementsAre("tasks[0]: is the spec of a task; write {\"task_id\": NAME, "
                          "\"args\": SPEC}"));
}

TEST(TasksFileTest, EmptyListIsAccepted) { EXPECT_THAT(Parsed("[]").tasks, IsEmpty()); }

TEST(TasksFileTest, UnusableFileErrorNamesReason) {
  const TempDirectory directory;
  const std::string path = directory / "tasks.json";
  const auto error = [&] { return std::string(ReadTasksFile(path).status().message()); };
  EXPECT_EQ(error(), path + ": No such file or directory");
  EXPECT_TRUE(absl::IsNotFound(ReadTasksFile(path).status()));
  const std::string expected = "must be a JSON array of tasks, or JSON Lines (one task a line)";
  const std::pair<std::string, std::string> cases[] = {
      {"", "is empty, not JSON"},
      {"[{\"task_id\": \"a\",\n}]", "is not valid JSON at line 2, column 1"},
      {"{\"tasks\": []}", "has its array of tasks in \"tasks\"; write only the array"},
      {"{\"command\": \"true\"}", "is the spec of a task; " + expected},
      {"{\n\"command\": \"true\"}", "is the spec of a task; " + expected},
      {"{\n\"task_id\": \"a\"}", "is a task over several lines; put it into [ ], or on one line"},
      {"null", expected},
      {"\xFF\xFE[\0", "is UTF-16; save it as UTF-8"},
      {"\x1F\x8B\x08", "is compressed with gzip; unpack it first"}};
  for (const auto& [text, reason] : cases) {
    ASSERT_TRUE(WriteFileAtomically(path, text, false).ok());
    EXPECT_EQ(error(), path + ": " + reason);
  }
  EXPECT_EQ(ReadTasksFile(directory.path()).status().message(),
            directory.path() + ": is a directory, not a tasks file");
  EXPECT_THAT(std::string(ReadTasksFile("/dev/null").status().message()),
              StartsWith("/dev/null: is a pipe or device; write the tasks to a file"));
}

}  // namespace
}  // namespace sparkles
