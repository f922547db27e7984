#include "gcp/token_endpoint.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"
#include "http/transient.h"
#include "tests/support/fake_clock.h"
#include "tests/support/scripted_transport.h"

namespace sparkles {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'769'860'800);

absl::StatusOr<AccessToken> Parse(absl::string_view body) { return ParseTokenResponse(body, kNow); }

absl::Duration LifeOf(absl::string_view expires_in) {
  const auto token =
      Parse("{\"access_token\":\"t\",\"expires_in\":" + std::string(expires_in) + "}");
  return token.ok() ? token->expiry - kNow : absl::ZeroDuration();
}

TEST(TokenResponseTest, LifetimeMayBeNumberOrText) {
  EXPECT_EQ(LifeOf("3599"), absl::Seconds(3599));
  EXPECT_EQ(LifeOf("\"3599\""), absl::Seconds(3599));
  EXPECT_EQ(LifeOf("12.7"), absl::Seconds(12));
}

TEST(TokenResponseTest, LifetimeIsCheckedAndBounded) {
  for (const char* life : {"0", "-1", "null", "\"\"", "\"soon\"", "\"nan\"", "[]", "-1e300"}) {
    EXPECT_EQ(LifeOf(life), absl::ZeroDuration()) << life;
  }
  EXPECT_EQ(LifeOf("1e300"), absl::Hours(24));
  EXPECT_EQ(LifeOf("99999999999999999999999"), absl::Hours(24));
}

TEST(TokenResponseTest, TokenUnfitForHeaderIsRefused) {
  for (const char* body :
       {"", "null", "[]", "<html>", R"({"expires_in":5})", R"({"access_token":7,"expires_in":5})",
        R"({"access_token":"","expires_in":5})", R"({"access_token":"a b","expires_in":5})",
        R"({"access_token":"a\r\nEvil: b","expires_in":5})",
        R"({"access_token":"\u00e9","expires_in":5})"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Parse(body).status())) << body;
  }
}

TEST(TokenResponseTest, GeneratedTokenHasExpiry) {
  const auto token =
      ParseGeneratedToken(R"({"accessToken":"t","expireTime":"2026-01-31T13:00:00Z"})", kNow);
  EXPECT_EQ(token->value, "t");
  EXPECT_EQ(token->expiry, kNow + absl::Hours(1));
  for (const char* body : {R"({"accessToken":"t"})", R"({"accessToken":"t","expireTime":"later"})",
                           R"({"accessToken":"t","expireTime":"2026-01-31T12:00:00Z"})"}) {
    EXPECT_FALSE(ParseGeneratedToken(body, kNow).ok()) << body;
  }
}

class TokenEndpointTest : public testing::Test {
 protected:
  TokenEndpointTest() {
    request_.url = "https://oauth2.googleapis.com/token";
    request_.owner = "service account x@y";
    request_.secrets = {"s3cret/+"};
    request_.refused_advice = "make a new key";
    SetForm({{"assertion", "s3cret/+"}}, request_);
  }
  absl::StatusOr<AccessToken> Fetch() {
    return FetchToken(request_, &ParseTokenResponse, transport_, clock_, cancel_);
  }
  absl::Status ErrorOf(HttpResponse response) {
    transport_.Answer("", std::move(response));
    return Fetch().status();
  }

  TokenRequest request_;
  CancelToken cancel_;
  FakeClock clock_;
  ScriptedTransport transport_;
};

constexpr char kGood[] = R"({"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"})";

TEST_F(TokenEndpointTest, TokenRequestPostsForm) {
  transport_.Answer("POST https://oauth2.googleapis.com/token", MakeResponse(200, kGood));
  const auto token = Fetch();
  EXPECT_EQ(token->value, "ya29.x");
  EXPECT_EQ(token->owner, "service account x@y");
  EXPECT_EQ(token->expiry, clock_.Now() + absl::Seconds(3599));
  const HttpRequest sent = transport_.requests().at(0);
  EXPECT_EQ(sent.body, "assertion=s3cret%2F%2B");
  EXPECT_EQ(*sent.headers.Find("Content-Type"), "application/x-www-form-urlencoded");
}

TEST_F(TokenEndpointTest, TransientErrorIsTriedThreeTimes) {
  transport_.Answer("", MakeResponse(500, R"({"error":"internal_failure"})"));
  transport_.Fail("", Transient(absl::UnavailableError("reset"), true));
  transport_.Answer("", MakeResponse(503, "busy"));
  const absl::Status error = Fetch().status();
  EXPECT_TRUE(IsTransient(error)) << error;
  EXPECT_EQ(clock_.sleeps().size(), 2u);
}

TEST_F(TokenEndpointTest, TemporaryOAuthErrorIsRetried) {
  transport_.Answer("", MakeResponse(400, R"({"error":"temporarily_unavailable"})"));
  transport_.Answer("", MakeResponse(200, kGood));
  EXPECT_TRUE(Fetch().ok());
}

TEST_F(TokenEndpointTest, RefusalIsFinalAndNamesRemedy) {
  const absl::Status error = ErrorOf(
      MakeResponse(400, R"({"error":"invalid_grant","error_description":"account not found"})"));
  EXPECT_TRUE(absl::IsFailedPrecondition(error));
  EXPECT_FALSE(IsTransient(error));
  EXPECT_EQ(error.message(),
            "access token of service account x@y: oauth2.googleapis.com: HTTP 400: invalid_grant: "
            "account not found (make a new key)");
}

TEST_F(TokenEndpointTest, WrongClockIsNamed) {
  const auto body = R"({"error":"invalid_grant","error_description":"Invalid JWT: iat"})";
  const absl::Status ahead =
      ErrorOf(MakeResponse(400, body, {{"Date", "Sat, 31 Jan 2026 11:47:55 GMT"}}));
  EXPECT_TRUE(absl::StrContains(ahead.message(), "clock of this machine is 12m5s ahead of"))
      << ahead;
  const absl::Status behind =
      ErrorOf(MakeResponse(400, body, {{"Date", "Sat, 31 Jan 2026 14:00:00 GMT"}}));
  EXPECT_TRUE(absl::StrContains(behind.message(), "clock of this machine is 2h behind")) << behind;
  const absl::Status right =
      ErrorOf(MakeResponse(400, body, {{"Date", "Sat, 31 Jan 2026 12:00:05 GMT"}}));
  EXPECT_FALSE(absl::StrContains(right.message(), "clock")) << right;
}

TEST_F(TokenEndpointTest, QuotedSecretsAreRemoved) {
  for (const char* body :
       {R"({"error":"invalid_grant","error_description":"bad assertion s3cret/+"})",
        R"({"error":"invalid_grant","error_description":"bad assertion s3cret\/\u002b"})",
        R"({"error":{"message":"bad assertion s3cret/+"}})", "you sent assertion=s3cret%2F%2B"}) {
    const absl::Status error = ErrorOf(MakeResponse(400, body));
    EXPECT_TRUE(absl::StrContains(error.message(), "[secret]")) << error;
    EXPECT_FALSE(absl::StrContains(error.message(), "s3cret")) << error;
  }
}

TEST_F(TokenEndpointTest, GoogleErrorFormIsRead) {
  request_.roles = "roles/iam.serviceAccountTokenCreator";
  const absl::Status error =
      ErrorOf(MakeResponse(403, R"({"error":{"message":"no","status":"PERMISSION_DENIED"}})"));
  EXPECT_TRUE(absl::IsPermissionDenied(error));
  EXPECT_TRUE(absl::StrContains(error.message(), "the account needs roles/iam.")) << error;
}

TEST_F(TokenEndpointTest, AnswerWithoutTokenIsTransient) {
  const absl::Status error = ErrorOf(MakeResponse(200, "<html>log in to the network</html>"));
  EXPECT_TRUE(IsTransient(error));
  EXPECT_FALSE(absl::StrContains(error.message(), "network")) << error;
}

TEST_F(TokenEndpointTest, CancelEndsWait) {
  transport_.Do("", [&](const HttpRequest&) {
    cancel_.Cancel(CancelKind::kHandBack, "SIGTERM");
    return MakeResponse(503);
  });
  EXPECT_EQ(Fetch().status(), absl::CancelledError("SIGTERM"));
}

}  // namespace
}  // namespace sparkles
