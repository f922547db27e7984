#include "gcp/gcs_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/support/gcs_fixture.h"

namespace sparkles {
namespace {

class GcsProbeTest : public GcsFixture {
 protected:
  absl::Status Hold(const std::string& resource) {
    server_.Answer("?fields=temporaryHold", MakeResponse(200, resource));
    return ProbeReplace(client_, name_, activity_);
  }
};

TEST_F(GcsProbeTest, SessionIsBegunAndCancelled) {
  const std::string session = "http://gcs/upload?upload_id=secret";
  server_.Answer("POST http://gcs/upload/storage/v1/b/b/o?uploadType=resumable&name=d%2Fo",
                 MakeResponse(200, "", {{"Location", session}}));
  server_.Answer("DELETE " + session, MakeResponse(499));
  EXPECT_TRUE(ProbeWrite(client_, name_, activity_).ok());
}

TEST_F(GcsProbeTest, ForeignSessionUrlIsIgnored) {
  server_.Answer("POST", MakeResponse(200, "", {{"Location", "http://other/upload"}}));
  EXPECT_TRUE(ProbeWrite(client_, name_, activity_).ok());
}

TEST_F(GcsProbeTest, RefusalsAreReturned) {
  server_.Answer("POST", MakeResponse(403, R"({"error":{"message":"no"}})"));
  EXPECT_TRUE(absl::IsPermissionDenied(ProbeWrite(client_, name_, activity_)));
  server_.Answer("POST", Missing());
  EXPECT_TRUE(absl::IsNotFound(ProbeWrite(client_, name_, activity_)));
}

TEST_F(GcsProbeTest, RefusedReplacementIsOk) {
  for (const char* error :
       {R"({"message":"w@p does not have storage.objects.delete access"})",
        R"({"message":"kept","errors":[{"reason":"retentionPolicyNotMet"}]})"}) {
    server_.Answer("POST", MakeResponse(403, absl::StrCat(R"({"error":)", error, "}")));
    EXPECT_TRUE(ProbeWrite(client_, name_, activity_).ok()) << error;
  }
}

TEST_F(GcsProbeTest, OtherErrorsAreIgnored) {
  for (const int status : {400, 401, 409, 412, 429, 500, 503}) {
    server_.Answer("POST", MakeResponse(status));
    EXPECT_TRUE(ProbeWrite(client_, name_, activity_).ok()) << status;
  }
  server_.Answer("POST", Page(403));
  EXPECT_TRUE(ProbeWrite(client_, name_, activity_).ok());
  server_.Fail("POST", Broken());
  EXPECT_TRUE(ProbeWrite(client_, name_, activity_).ok());
  EXPECT_TRUE(clock_.sleeps().empty());
}

TEST_F(GcsProbeTest, StopEndsProbe) {
  cancel_.Cancel(CancelKind::kHandBack, "stopped");
  EXPECT_TRUE(absl::IsCancelled(ProbeWrite(client_, name_, activity_)));
  EXPECT_TRUE(absl::IsCancelled(ProbeReplace(client_, name_, activity_)));
}

TEST_F(GcsProbeTest, HoldsAndRetentionAreReported) {
  for (const char* free : {"{}", R"({"temporaryHold":false})", "[]", "no json",
                           R"({"retentionExpirationTime":"2026-01-01T00:00:00Z"})"}) {
    EXPECT_TRUE(Hold(free).ok()) << free;
  }
  for (const char* kept : {R"({"temporaryHold":true})", R"({"eventBasedHold":true})",
                           R"({"retentionExpirationTime":"2026-12-01T00:00:00.123Z"})"}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(Hold(kept))) << kept;
  }
}

TEST_F(GcsProbeTest, MissingOldObjectIsOk) {
  server_.Answer("?fields=temporaryHold", Missing());
  EXPECT_TRUE(ProbeReplace(client_, name_, activity_).ok());
  server_.Answer("?fields=temporaryHold", MakeResponse(403));
  EXPECT_TRUE(ProbeReplace(client_, name_, activity_).ok());
}

}  // namespace
}  // namespace sparkles
