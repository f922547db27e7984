// Tests of runs whose log or result.json cannot be delivered because a permission is missing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/permission.h"
#include "tests/support/executor_fixture.h"

namespace sparkles {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class TaskRunDestinationsTest : public ExecutorFixture {
 protected:
  void Refuse(StoreMethod method, const std::string& url, const absl::Status& status) {
    failing_.Add({.method = method, .url_part = url, .status = status});
  }
};

TEST_F(TaskRunDestinationsTest, UnwritableLogUrlFailsEarly) {
  Refuse(StoreMethod::kCheckWritable, kStdout,
         MarkMissingPermission(absl::PermissionDeniedError("403"), "write to gs://out"));
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.kind, Outcome::Kind::kFailed);
  EXPECT_EQ(outcome.failure_reason, "stdout_url: cannot be written: 403");
  EXPECT_EQ(outcome.lacks_permission, "write to gs://out");
  EXPECT_THAT(runner_.commands(), IsEmpty());
}

TEST_F(TaskRunDestinationsTest, UnwritableOutputUrlFailsEarly) {
  spec_["uploads"]["dst_url"] = "gs://nowhere/1";
  Refuse(StoreMethod::kCheckWritable, "gs://nowhere", absl::NotFoundError("404"));
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.failure_reason, "uploads.dst_url: cannot be written: 404");
  EXPECT_THAT(runner_.commands(), IsEmpty());
}

TEST_F(TaskRunDestinationsTest, HeldResultObjectFailsEarly) {
  Refuse(StoreMethod::kCheckWritable, kResult, absl::FailedPreconditionError("temporaryHold"));
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.kind, Outcome::Kind::kFailed);
  EXPECT_EQ(outcome.failure_reason, "command_result_url: cannot be written: temporaryHold");
  EXPECT_THAT(runner_.commands(), IsEmpty());
}

TEST_F(TaskRunDestinationsTest, HeldLogObjectGivesWarning) {
  Refuse(StoreMethod::kCheckWritable, kStdout, absl::FailedPreconditionError("temporaryHold"));
  EXPECT_EQ(Run().kind, Outcome::Kind::kComplete);
  EXPECT_THAT(recorded_.Text(), HasSubstr("the log cannot be delivered: "));
}

TEST_F(TaskRunDestinationsTest, KeptOldLogCompletesTask) {
  Refuse(StoreMethod::kUpload, kStdout,
         MarkObjectProtected(absl::PermissionDeniedError("no right")));
  EXPECT_EQ(Run().kind, Outcome::Kind::kComplete);
  const Json result = Result();
  ASSERT_THAT(result.at("skipped"), SizeIs(1));
  EXPECT_EQ(result.at("skipped").at(0).at("src"), "stdout.txt");
  EXPECT_EQ(result.at("skipped").at(0).at("reason"), "no right");
  for (const Json& file : result.at("files")) EXPECT_NE(file.at("src"), "stdout.txt");
}

TEST_F(TaskRunDestinationsTest, KeptOldResultFailsTask) {
  Refuse(StoreMethod::kUploadBytes, kResult,
         MarkObjectProtected(absl::PermissionDeniedError("no right")));
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.kind, Outcome::Kind::kFailed);
  EXPECT_EQ(outcome.failure_reason, "result.json: no right");
  EXPECT_EQ(memory_.Get(kOutput), "output\n");
  EXPECT_THAT(Stdout(), HasSubstr("failed: result.json: no right"));
}

}  // namespace
}  // namespace sparkles
