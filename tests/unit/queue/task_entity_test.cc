#include "queue/task_entity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sparkles {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kPending[] = R"({
  "task_index": {"integerValue": "1"}, "job_id": {"stringValue": "job"},
  "cluster": {"stringValue": "c"}, "args": {"stringValue": "{}"},
  "command_result_url": {"stringValue": "gs://b/r"}, "log_url": {"nullValue": null},
  "status": {"stringValue": "pending"}, "owner": {"nullValue": null},
  "monitor_address": {"nullValue": null}, "failure_reason": {"nullValue": null},
  "exit_code": {"nullValue": null}, "version": {"integerValue": "1"},
  "history": {"arrayValue": {"values": [{"entityValue": {"properties": {
     "status": {"stringValue": "pending"}, "timestamp": {"doubleValue": 1795457170.0702956},
     "owner": {"nullValue": null}, "failure_reason": {"nullValue": null}}}}]}}})";

const absl::Time kNow = absl::FromUnixMicros(1'795'457'170'118'003);

TaskEntity TaskOf(const std::string& changes = "{}") {
  Json properties = ParseJson(kPending).value();
  properties.update(ParseJson(changes).value());
  Json json = {{"key", ToJson({kTaskKind, "job.1"})}};
  json["properties"] = properties;
  return TaskEntity("job.1", Entity::Parse(json).value());
}

std::string Property(const TaskEntity& task, const std::string& name) {
  const Json* value = task.entity().Find(name);
  return value == nullptr ? "absent" : DumpJson(*value);
}

TEST(JobIdOf, JobIdEndsAtLastDot) {
  EXPECT_EQ(JobIdOf("job.1"), "job");
  EXPECT_EQ(JobIdOf("a.b.12"), "a.b");
  EXPECT_EQ(JobIdOf("alone"), "alone");
}

TEST(TaskEntity, EntityConvertsToTask) {
  const Task task = TaskOf().ToTask();
  EXPECT_EQ(task.id, "job.1");
  EXPECT_EQ(task.job_id, "job");
  EXPECT_EQ(task.index, "1");
  EXPECT_EQ(task.args, "{}");
  EXPECT_EQ(task.command_result_url, "gs://b/r");
  EXPECT_EQ(task.log_url, "");
}

TEST(TaskEntity, ClaimWritesContractProperties) {
  TaskEntity task = TaskOf();
  task.Claim("projects/1/zones/z/vm", "10.0.0.1:6032", kNow, kNow);
  EXPECT_EQ(Property(task, "status"), R"({"stringValue":"claimed"})");
  EXPECT_EQ(Property(task, "owner"), R"({"stringValue":"projects/1/zones/z/vm"})");
  EXPECT_EQ(Property(task, "monitor_address"), R"({"stringValue":"10.0.0.1:6032"})");
  EXPECT_EQ(Property(task, "version"), R"({"integerValue":"2"})");
  EXPECT_EQ(Property(task, "task_id"), R"({"stringValue":"job.1"})");
  EXPECT_EQ(Property(task, "last_updated"), "absent");
  EXPECT_EQ(Property(task, "failure_reason"), R"({"nullValue":null})");
  EXPECT_EQ(DumpJson(*Elements(task.entity().Find("history"))[1]),
            R"({"entityValue":{"properties":{)"
            R"("owner":{"excludeFromIndexes":true,"stringValue":"projects/1/zones/z/vm"},)"
            R"("status":{"excludeFromIndexes":true,"stringValue":"claimed"},)"
            R"("timestamp":{"doubleValue":1795457170.118003,"excludeFromIndexes":true}}}})");
}

TEST(TaskEntity, ExistingLastUpdatedIsSet) {
  TaskEntity task = TaskOf(R"({"last_updated": {"doubleValue": 1.0}})");
  task.Complete("0", kNow);
  EXPECT_EQ(Property(task, "last_updated"), R"({"doubleValue":1795457170.118003})");
}

TEST(TaskEntity, ClaimClearsEarlierAttempt) {  // D26
  TaskEntity task = TaskOf(R"({"exit_code": {"stringValue": "1"},
                               "failure_reason": {"stringValue": "old"},
                               "monitor_address": {"stringValue": "gone:1"}})");
  task.Claim("vm", "", kNow, kNow);
  for (const char* name : {"exit_code", "failure_reason", "monitor_address"}) {
    EXPECT_EQ(Property(task, name), R"({"nullValue":null})") << name;
  }
}

TEST(TaskEntity, AbsentAndNullPropertiesStay) {  // D23, D25
  TaskEntity task = TaskOf();
  const Json before = task.entity().json();
  task.Claim("vm", "", kNow, kNow);
  task.Complete("0", kNow);
  for (const auto& [name, value] : task.entity().json()["properties"].items()) {
    EXPECT_TRUE(before["properties"].contains(name) || name == "task_id") << name;
  }
  for (const char* name : {"failure_reason", "monitor_address", "log_url"}) {
    EXPECT_EQ(Property(task, name), R"({"nullValue":null})") << name;
  }
}

TEST(TaskEntity, LongReasonIsTruncatedAndUnindexed) {  // D22
  TaskEntity task = TaskOf();
  task.Fail(std::string(100'000, 'x') + ": no such object", kNow);
  EXPECT_TRUE(IsUnindexed(*task.entity().Find("failure_reason")));
  EXPECT_EQ(AsString(task.entity().Find("failure_reason"))->size(), kMaxFailureReasonBytes);
  EXPECT_THAT(task.History().back().failure_reason, StartsWith("xxx"));
  EXPECT_THAT(task.History().back().failure_reason, EndsWith("xxx: no such object"));
}

TEST(TaskEntity, KillSetsNoFailureReason) {
  TaskEntity task = TaskOf();
  task.Kill("the job was killed", kNow);
  EXPECT_TRUE(task.IsKilled());
  EXPECT_EQ(Property(task, "failure_reason"), R"({"nullValue":null})");
  EXPECT_EQ(task.History().back().failure_reason, "the job was killed");
}

TEST(TaskEntity, HandBackMatchesClientReset) {
  TaskEntity task = TaskOf();
  task.Claim("vm", "", kNow, kNow);
  task.HandBack("preempted", kNow);
  EXPECT_EQ(Property(task, "status"), R"({"stringValue":"pending"})");
  EXPECT_EQ(Property(task, "owner"), R"({"nullValue":null})");
  EXPECT_EQ(Property(task, "version"), R"({"integerValue":"3"})");
  EXPECT_EQ(task.History().back().status, "reset");
  EXPECT_EQ(task.History().back().failure_reason, "preempted");
  EXPECT_EQ(task.History().back().owner, "");
}

TEST(TaskEntity, FenceIsOwnerVersionAndTime) {
  TaskEntity task = TaskOf();
  EXPECT_FALSE(task.IsClaimOf("vm", 1, kNow));
  task.Claim("vm", "", kNow, kNow);
  EXPECT_TRUE(task.IsClaimOf("vm", 2, kNow));
  EXPECT_FALSE(task.IsClaimOf("other", 2, kNow));
  EXPECT_FALSE(task.IsClaimOf("vm", 3, kNow));
  EXPECT_FALSE(task.IsClaimOf("vm", 2, kNow + absl::Microseconds(1)));
  task.Complete("0", kNow);
  EXPECT_FALSE(task.IsClaimOf("vm", 3, kNow));
}

TEST(TaskEntity, OlderClaimOfSameOwnerDiffers) {
  TaskEntity task = TaskOf();
  task.Claim("vm", "", kNow, kNow);
  task.HandBack("reset", kNow + absl::Seconds(1));
  task.Claim("vm", "", kNow + absl::Seconds(2), kNow + absl::Seconds(2));
  EXPECT_FALSE(task.IsClaimOf("vm", task.version(), kNow));
  EXPECT_TRUE(task.IsClaimOf("vm", task.version(), kNow + absl::Seconds(2)));
}

TEST(TaskEntity, EndBelongsToPrecedingClaim) {
  TaskEntity task = TaskOf();
  task.Claim("vm", "", kNow - absl::Minutes(1), kNow - absl::Minutes(1));
  task.HandBack("abandoned: dead", kNow);
  task.Claim("vm", "", kNow, kNow);
  // The clock has not advanced: an end of this claim has the time of the earlier end.
  EXPECT_FALSE(task.HasEntryAfter("vm", kNow, kResetEntry, kNow));
  EXPECT_TRUE(task.HasEntryAfter("vm", kNow - absl::Minutes(1), kResetEntry, kNow));
  task.HandBack("stopped", kNow);
  EXPECT_TRUE(task.HasEntryAfter("vm", kNow, kResetEntry, kNow));
  EXPECT_FALSE(task.HasEntryAfter("vm", kNow, "complete", kNow));
  task.Claim("other", "", kNow + absl::Seconds(1), kNow + absl::Seconds(1));
  EXPECT_TRUE(task.HasEntryAfter("vm", kNow, kResetEntry, kNow)) << "later claims do not matter";
}

TEST(TaskEntity, VersionMayExceed32Bits) {
  TaskEntity task = TaskOf(R"({"version": {"integerValue": "2147483647"}})");
  task.Claim("vm", "", kNow, kNow);
  EXPECT_EQ(task.version(), 2147483648);
}

TEST(TaskEntity, WrongTypeProblemNamesProperty) {  // D30
  EXPECT_EQ(TaskOf().Problem(), "");
  EXPECT_EQ(TaskOf(R"({"version": {"nullValue": null}, "history": {"arrayValue": {}}})").Problem(),
            "");
  EXPECT_THAT(TaskOf(R"({"args": {"integerValue": "1"}})").Problem(), HasSubstr("args"));
  EXPECT_THAT(TaskOf(R"({"version": {"stringValue": "1"}})").Problem(), HasSubstr("version"));
  EXPECT_THAT(TaskOf(R"({"version": {"integerValue": "-1"}})").Problem(), HasSubstr("version"));
  EXPECT_THAT(TaskOf(R"({"version": {"integerValue": "9007199254740993"}})").Problem(),
              HasSubstr("version"));
  EXPECT_THAT(TaskOf(R"({"history": {"stringValue": "x"}})").Problem(), HasSubstr("history"));
  EXPECT_THAT(TaskOf(R"({"status": {"arrayValue": {}}})").Problem(), HasSubstr("status"));
}

TEST(TaskEntity, InvalidEntityCanBeFailed) {
  TaskEntity task = TaskOf(R"({"version": {"stringValue": "1"}, "history": {"stringValue": "x"},
                               "status": {"arrayValue": {}}})");
  task.Fail("version: is not a number", kNow);
  EXPECT_EQ(Property(task, "status"), R"({"stringValue":"failed"})");
  EXPECT_EQ(Property(task, "version"), R"({"stringValue":"1"})");
  EXPECT_EQ(Property(task, "history"), R"({"stringValue":"x"})");
}

TEST(TaskEntity, UnknownHistoryEntriesAreKept) {
  TaskEntity task = TaskOf(R"({"history": {"arrayValue": {"values": [
      {"integerValue": "1"}, {"entityValue": {}},
      {"entityValue": {"properties": {"status": {"integerValue": "2"}}}}]}}})");
  task.Claim("vm", "", kNow, kNow);
  EXPECT_EQ(Elements(task.entity().Find("history")).size(), 4u);
  EXPECT_EQ(CountClaims(task.History()), 1);
}

TEST(TaskEntity, CandidateMatchesClusterAndStatus) {
  EXPECT_TRUE(TaskOf().MayBePendingIn("c"));
  EXPECT_FALSE(TaskOf().MayBePendingIn("other"));
  EXPECT_FALSE(TaskOf(R"({"status": {"stringValue": "claimed"}})").MayBePendingIn("c"));
  EXPECT_FALSE(TaskOf(R"({"status": {"stringValue": "new kind"}})").MayBePendingIn("c"));
  EXPECT_TRUE(TaskOf(R"({"status": {"arrayValue": {}}})").MayBePendingIn("c"));
}

}  // namespace
}  // namespace sparkles
