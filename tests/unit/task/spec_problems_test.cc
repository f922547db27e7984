#include "task/spec_problems.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "task/task_spec.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

TEST(SpecProblems, GoodSpecHasNone) {
  EXPECT_THAT(FindSpecProblems(R"({"command": "true", "downloads": [
                  {"src_url": "gs://b/x", "dst": "x"}, {"src_url": "gs://b/x", "dst": "x"}],
                  "uploads": {"include_patterns": ["/**"], "dst_url": "gs://b/y"}})"),
              IsEmpty());
}

TEST(SpecProblems, AllProblemsAreFound) {
  EXPECT_THAT(
      FindSpecProblems(R"({"command": 1, "pre-exec-script": [], "working_dir": "../x",
          "parameters": 5, "downloads": [
            {"src_url": "", "dst": "/abs", "executable": "yes"}, 7,
            {"src_url": "a", "dst": "same"}, {"src_url": "b", "dst": "same"}],
          "uploads": {"include_patterns": ["[", 5], "exclude_patterns": "x"},
          "command_result_url": 1, "stdout_url": {}})"),
      ElementsAre(StartsWith("command: must be a string"), StartsWith("pre-exec-script: must be"),
                  StartsWith("working_dir: "), StartsWith("parameters: must be a JSON object"),
                  StartsWith("downloads[0].src_url: is missing"), StartsWith("downloads[0].dst: "),
                  StartsWith("downloads[0].executable: must be true or false"),
                  StartsWith("downloads[1]: must be a JSON object"),
                  StartsWith("downloads[3].dst: is also the dst of downloads[2]"),
                  StartsWith("uploads.include_patterns[0]: "),
                  StartsWith("uploads.include_patterns[1]: must be a string"),
                  StartsWith("uploads.exclude_patterns: must be a list"),
                  StartsWith("uploads.dst_url: is missing"),
                  StartsWith("command_result_url: must be a string"),
                  StartsWith("stdout_url: must be a string")));
}

TEST(SpecProblems, TextWithoutSpecIsOneProblem) {
  EXPECT_THAT(FindSpecProblems("{"), ElementsAre(StartsWith("args: ")));
  EXPECT_THAT(FindSpecProblems("[]"), ElementsAre("args: must be a JSON object"));
}

// The parser and this search must agree on which specs are good.
TEST(SpecProblems, FirstProblemIsThatOfParser) {
  const std::string huge(kMaxCommandBytes + 1, 'x');
  for (const std::string& text : {
           std::string("[]"),
           std::string(R"({"command": ""})"),
           "{\"command\": \"" + huge + "\"}",
           std::string(R"({"command": "x", "working_dir": "/"})"),
           std::string(R"({"command": "x", "downloads": 5})"),
           std::string(R"({"command": "x", "downloads": [{"src_url": "a", "dst": "."}]})"),
           std::string(R"({"command": "x", "downloads": [{"src_url": "a", "dst": "d"},
                            {"src_url": "a", "dst": "d/e"}]})"),
           std::string(R"({"command": "x", "uploads": 1})"),
           std::string(R"({"command": "x", "uploads": {"dst_url": "file://"}})"),
           std::string(R"({"command": "x", "uploads": {"include_patterns": ["*"]}})"),
           std::string(R"({"command": "x", "stdout_url": 1})"),
       }) {
    const auto spec = ParseTaskSpec(text);
    const auto problems = FindSpecProblems(text);
    ASSERT_FALSE(spec.ok()) << text.substr(0, 100);
    ASSERT_FALSE(problems.empty()) << text.substr(0, 100);
    EXPECT_EQ(problems.front(), spec.status().message());
  }
}

}  // namespace
}  // namespace sparkles
