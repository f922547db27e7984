#include "gcp/gcs_access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/permission.h"
#include "gcp/api_error.h"
#include "gcp/gcs_reader.h"
#include "gcp/gcs_upload.h"
#include "tests/support/gcs_fixture.h"
#include "tests/support/recorded_log.h"

namespace sparkles {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr absl::Duration kMaxElapsed = absl::Minutes(2);

class GcsAccessTest : public GcsFixture {
 protected:
  static HttpResponse Denied() {
    return MakeResponse(403, R"({"error":{"code":403,"message":"w@p does not have access"}})");
  }
  static HttpResponse LacksScope() {
    return MakeResponse(403, "", {{"WWW-Authenticate", R"(Bearer error="insufficient_scope")"}});
  }

  absl::Status Read(GcsClient& client) {
    const auto sink = [](uint64_t, absl::string_view) { return absl::OkStatus(); };
    return GcsReader(client, name_, activity_, sink).ReadWhole(nullptr).status();
  }

  absl::Status Write(GcsClient& client) {
    const auto read = [](uint64_t offset, char* buffer, size_t capacity) -> absl::StatusOr<size_t> {
      return absl::string_view("new").copy(buffer, capacity, offset);
    };
    const GcsContent content{3, read};
    return UploadAtOnce(client, name_, content, activity_).status();
  }

  // Returns the time that the attempts take against a server that always answers 403.
  absl::Duration RefusedFor(GcsRight right) {
    Portal portal(Denied());
    ApiClient api({"http://gcs", nullptr}, portal, clock_);
    GcsClient client(api, clock_, {}, &access_);
    const absl::Time start = clock_.Now();
    last_ = right == GcsRight::kRead ? Read(client) : Write(client);
    EXPECT_TRUE(absl::IsPermissionDenied(last_)) << last_;
    return clock_.Now() - start;
  }

  RecordedLog recorded_;
  const Log log_ = recorded_.log();
  GcsAccess access_{kMaxElapsed, clock_, &log_};
  GcsClient retrying_client_{api_, clock_, {}, &access_};
  absl::Status last_;
};

TEST_F(GcsAccessTest, FirstRefusalsAreRetried) {
  for (int i = 0; i < 3; ++i) server_.Answer("GET", Denied());
  server_.Answer("GET", Media(200, "text", "text"));
  EXPECT_TRUE(Read(retrying_client_).ok());
  EXPECT_THAT(recorded_.Text(),
              AllOf(HasSubstr("cannot read from gs://b: "), HasSubstr("w@p does not have access"),
                    HasSubstr("--permissionPatience")));
}

TEST_F(GcsAccessTest, LastingRefusalFailsAfterMaxElapsed) {
  EXPECT_EQ(RefusedFor(GcsRight::kWrite), kMaxElapsed);
  EXPECT_EQ(MissingPermission(last_), "write to gs://b");
  EXPECT_THAT(std::string(last_.message()),
              HasSubstr("gcloud storage buckets add-iam-policy-binding gs://b"));
}

TEST_F(GcsAccessTest, PatienceIsPerTaskAndPermission) {
  EXPECT_EQ(RefusedFor(GcsRight::kWrite), kMaxElapsed);
  EXPECT_EQ(RefusedFor(GcsRight::kWrite), absl::ZeroDuration());
  EXPECT_EQ(RefusedFor(GcsRight::kRead), kMaxElapsed);
  access_.BeginTask();
  EXPECT_EQ(RefusedFor(GcsRight::kWrite), kMaxElapsed);
}

TEST_F(GcsAccessTest, RefusalAfterSuccessIsFinal) {
  server_.Answer("POST", Resource("new", 5));
  EXPECT_TRUE(Write(retrying_client_).ok());
  EXPECT_EQ(RefusedFor(GcsRight::kWrite), absl::ZeroDuration());
}

TEST_F(GcsAccessTest, FailedPreconditionProvesPermission) {
  server_.Answer("POST", MakeResponse(412));
  server_.Answer("GET", Denied());
  EXPECT_TRUE(absl::IsPermissionDenied(Write(retrying_client_)));
  EXPECT_TRUE(clock_.sleeps().empty());
}

TEST_F(GcsAccessTest, WaitingTransferGetsOneMoreTry) {
  const absl::Status denied = MakeApiError(Denied(), "host");
  EXPECT_TRUE(access_.NextRetryWait("b", GcsRight::kRead, denied).has_value());
  access_.NoteGranted("b", GcsRight::kRead);
  EXPECT_TRUE(access_.NextRetryWait("b", GcsRight::kRead, denied).has_value());
  clock_.Advance(absl::Seconds(11));
  EXPECT_FALSE(access_.NextRetryWait("b", GcsRight::kRead, denied).has_value());
}

TEST_F(GcsAccessTest, PartialReadProvesPermission) {
  server_.BreakOff("GET", Media(200, "text", "te"), Broken());
  server_.Answer("GET", Denied());
  EXPECT_TRUE(absl::IsPermissionDenied(Read(retrying_client_)));
  EXPECT_EQ(clock_.sleeps().size(), 1U);  // before the broken request is repeated
}

TEST_F(GcsAccessTest, WritesAreRememberedForTenMinutes) {
  access_.NoteWritten({"b", "job/1/stdout.txt"});
  EXPECT_TRUE(access_.WasWrittenRecently({"b", "job/2/stdout.txt"}));
  EXPECT_FALSE(access_.WasWrittenRecently({"b", "other/2/stdout.txt"}));
  EXPECT_FALSE(access_.WasWrittenRecently({"c", "job/1/stdout.txt"}));
  clock_.Advance(absl::Minutes(10));
  EXPECT_FALSE(access_.WasWrittenRecently({"b", "job/2/stdout.txt"}));
}

TEST_F(GcsAccessTest, RequesterPaysProjectIsSent) {
  GcsAccess paying(kMaxElapsed, clock_, &log_, [](const CancelToken&) { return "p-1"; });
  GcsClient client(api_, clock_, {}, &paying);
  const HttpResponse unpaid = MakeResponse(
      400, R"({"error":{"code":400,"errors":[{"reason":"required"}],)"
           R"("message":"Bucket is a requester pays bucket but no user project provided."}})");
  server_.Answer("GET", unpaid);
  server_.Answer("&userProject=p-1", Media(200, "text", "text"));
  EXPECT_TRUE(Read(client).ok());
  server_.Answer("&userProject=p-1", Resource("new", 5));
  EXPECT_TRUE(Write(client).ok());
  server_.Answer("GET", unpaid);
  EXPECT_THAT(std::string(Read(retrying_client_).message()),
              HasSubstr("GOOGLE_CLOUD_QUOTA_PROJECT"));
}

TEST_F(GcsAccessTest, MissingScopeIsFinal) {
  server_.Answer("GET", LacksScope());
  const absl::Status status = Read(retrying_client_);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--scopes=cloud-platform"));
  EXPECT_EQ(MissingPermission(status), "read from gs://b");
  EXPECT_TRUE(clock_.sleeps().empty());
}

TEST_F(GcsAccessTest, RetentionIsNotMissingPermission) {
  server_.Answer("POST", MakeResponse(403, R"({"error":{"code":403,"message":"kept","errors":)"
                                           R"([{"reason":"retentionPolicyNotMet"}]}})"));
  const absl::Status status = Write(retrying_client_);
  EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
  EXPECT_EQ(MissingPermission(status), "");
  EXPECT_TRUE(clock_.sleeps().empty());
}

TEST_F(GcsAccessTest, StopEndsWait) {
  clock_.OnSleep([this](size_t) { cancel_.Cancel(CancelKind::kHandBack, "stopped"); });
  server_.Answer("GET", Denied());
  const absl::Status status = Read(retrying_client_);
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_EQ(clock_.sleeps().size(), 1U);
}

}  // namespace
}  // namespace sparkles
