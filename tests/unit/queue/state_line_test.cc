#include "queue/state_line.h"

#include <gtest/gtest.h>

namespace sparkles {
namespace {

StateChange SomeChange(TaskStatus status) {
  StateChange change;
  change.task_id = "job.1";
  change.status = status;
  change.timestamp = absl::FromUnixMillis(1'770'000'000'123);
  change.version = 3;
  return change;
}

TEST(StateLineTest, ClaimIsWrittenWithOwner) {
  StateChange change = SomeChange(TaskStatus::kClaimed);
  change.owner = "localhost";
  EXPECT_EQ(FormatStateChange(change),
            R"({"task_id":"job.1","status":"claimed","owner":"localhost",)"
            "\"timestamp\":1770000000.123,\"version\":3,\"crc32c\":\"4e83688b\"}\n");
}

TEST(StateLineTest, EndIsWrittenWithExitCode) {
  StateChange change = SomeChange(TaskStatus::kComplete);
  change.exit_code = "137";
  EXPECT_EQ(FormatStateChange(change),
            R"({"task_id":"job.1","status":"complete","timestamp":1770000000.123,"version":3,)"
            "\"exit_code\":\"137\",\"crc32c\":\"50c5a18f\"}\n");
}

TEST(StateLineTest, HandBackIsWrittenAsReset) {
  StateChange change = SomeChange(TaskStatus::kPending);
  change.failure_reason = "preempted";
  EXPECT_EQ(FormatStateChange(change),
            R"({"task_id":"job.1","status":"pending","history":"reset",)"
            "\"timestamp\":1770000000.123,\"version\":3,\"failure_reason\":\"preempted\","
            "\"crc32c\":\"b07ad0ba\"}\n");
}

TEST(StateLineTest, WrittenLineIsReadBack) {
  StateChange change = SomeChange(TaskStatus::kFailed);
  change.task_id =
      "j\xC3\xB6"
      "b \"1\"";
  change.owner = "projects/1/zones/z/vm";
  change.failure_reason = "line 1\nline 2";
  const std::string line = FormatStateChange(change);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto parsed = ParseStateChange(absl::string_view(line).substr(0, line.size() - 1));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->task_id, change.task_id);
  EXPECT_EQ(parsed->status, TaskStatus::kFailed);
  EXPECT_EQ(parsed->owner, change.owner);
  EXPECT_EQ(parsed->version, 3);
  EXPECT_EQ(absl::ToUnixMillis(parsed->timestamp), 1'770'000'000'123);
  EXPECT_EQ(parsed->exit_code, "");
  EXPECT_EQ(parsed->failure_reason, change.failure_reason);
}

TEST(StateLineTest, WrongChecksumIsRefused) {
  std::string line = FormatStateChange(SomeChange(TaskStatus::kClaimed));
  line.pop_back();
  EXPECT_TRUE(HasValidChecksum(line));
  EXPECT_TRUE(ParseStateChange(line).ok());
  line[line.find("job.1")] = 'J';
  EXPECT_FALSE(HasValidChecksum(line));
  EXPECT_EQ(ParseStateChange(line).status().message(), "has a wrong checksum");
  EXPECT_FALSE(HasValidChecksum("{}"));
}

TEST(StateLineTest, UnknownPropertiesAreIgnored) {
  EXPECT_TRUE(ParseStateChange(R"({"task_id":"a","status":"claimed","timestamp":1,"version":2,)"
                               R"("new":[1]})")
                  .ok());
}

TEST(StateLineTest, InvalidLineErrorNamesField) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "is empty, not JSON"},
      {"[]", "is not a JSON object"},
      {R"({"status":"claimed","timestamp":1,"version":2})", "task_id: is missing or empty"},
      {R"({"task_id":1,"status":"claimed","timestamp":1,"version":2})",
       "task_id: must be a string"},
      {R"({"task_id":"a","timestamp":1,"version":2})", "status: is missing or unknown"},
      {R"({"task_id":"a","status":"reset","timestamp":1,"version":2})",
       "status: is missing or unknown"},
      {R"({"task_id":"a","status":"failed","version":2})", "timestamp: is missing or not a number"},
      {R"({"task_id":"a","status":"failed","timestamp":"1","version":2})",
       "timestamp: is missing or not a number"},
      {R"({"task_id":"a","status":"failed","timestamp":1})",
       "version: is missing or not a positive number"},
      {R"({"task_id":"a","status":"failed","timestamp":1,"version":0})",
       "version: is missing or not a positive number"},
      {R"({"task_id":"a","status":"failed","timestamp":1,"version":2147483647})",
       "version: is missing or not a positive number"},
      {R"({"task_id":"a","status":"failed","timestamp":1,"version":18446744073709551615})",
       "version: is missing or not a positive number"},
      {R"({"task_id":"a","status":"failed","timestamp":1,"version":2,"exit_code":0})",
       "exit_code: must be a string"}};
  for (const auto& [line, reason] : cases) {
    EXPECT_EQ(ParseStateChange(line).status().message(), reason) << line;
  }
}

TEST(StateLineTest, HeaderVersionIsChecked) {
  const std::string header = FormatStateHeader();
  EXPECT_EQ(header, "{\"format\":\"sparkles-state-1\"}\n");
  EXPECT_TRUE(CheckStateHeader(R"({"format":"sparkles-state-1"})").ok());
  EXPECT_EQ(CheckStateHeader(R"({"format":"sparkles-state-2"})").message(),
            "has the format sparkles-state-2 of a newer sparklesworker");
  for (const auto* line : {"", "{}", "[]", "x", R"({"format":1})", R"({"format":"other"})"}) {
    EXPECT_EQ(CheckStateHeader(line).message(), "is not the header of a state file") << line;
  }
}

}  // namespace
}  // namespace sparkles
