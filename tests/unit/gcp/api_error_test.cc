#include "gcp/api_error.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "http/transient.h"
#include "tests/support/scripted_transport.h"

namespace sparkles {
namespace {

absl::Status ErrorOf(int status, absl::string_view body = "") {
  return MakeApiError(MakeResponse(status, body), "host");
}

bool Says(const absl::Status& status, absl::string_view text) {
  return absl::StrContains(status.message(), text);
}

TEST(ApiErrorTest, GoogleStatusOverridesHttpStatus) {
  const auto code = [](int http, absl::string_view status) {
    return ErrorOf(http,
                   absl::StrCat(R"({"error":{"code":1,"message":"m","status":")", status, R"("}})"))
        .code();
  };
  EXPECT_EQ(code(409, "ABORTED"), absl::StatusCode::kAborted);
  EXPECT_EQ(code(409, "ALREADY_EXISTS"), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(code(400, "INVALID_ARGUMENT"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(400, "FAILED_PRECONDITION"), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code(404, "NO_SUCH_STATUS"), absl::StatusCode::kNotFound);
  EXPECT_EQ(code(404, "OK"), absl::StatusCode::kNotFound);
}

TEST(ApiErrorTest, HttpStatusSetsCodeWithoutJson) {
  EXPECT_EQ(ErrorOf(401).code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(ErrorOf(403, "<html>").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ErrorOf(404, "No such object: b/o").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrorOf(412, "[1]").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorOf(416).code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(ErrorOf(301).code(), absl::StatusCode::kUnknown);
}

TEST(ApiErrorTest, ServerCancelledBecomesUnknown) {
  EXPECT_EQ(ErrorOf(499, R"({"error":{"status":"CANCELLED"}})").code(), absl::StatusCode::kUnknown);
}

TEST(ApiErrorTest, TransientStatusesAreMarked) {
  for (const int status : {301, 408, 499, 500, 502, 503, 504, 507, 520}) {
    EXPECT_TRUE(IsTransient(ErrorOf(status))) << status;
    EXPECT_TRUE(MaybeApplied(ErrorOf(status))) << status;
  }
  EXPECT_TRUE(IsTransient(ErrorOf(429)));
  EXPECT_FALSE(MaybeApplied(ErrorOf(429)));
  for (const int status : {400, 401, 403, 404, 409, 412, 416, 501, 505}) {
    EXPECT_FALSE(IsTransient(ErrorOf(status))) << status;
  }
}

TEST(ApiErrorTest, HtmlPagesAreTransient) {
  for (const int status : {400, 401, 403, 404, 412, 413}) {
    EXPECT_TRUE(IsTransient(ErrorOf(status, " <html>log in to the hotel's network"))) << status;
  }
}

TEST(ApiErrorTest, HtmlPage404IsUnavailable) {
  EXPECT_EQ(ErrorOf(404, "<html>").code(), absl::StatusCode::kUnavailable);
}

TEST(ApiErrorTest, MetadataServerPagesAreFinal) {
  const HttpResponse page = MakeResponse(404, "<!DOCTYPE html>", {{"Metadata-Flavor", "Google"}});
  EXPECT_FALSE(IsTransient(MakeApiError(page, "host")));
}

TEST(ApiErrorTest, GoogleFrontEndPagesAreFinal) {
  const char* const page =
      "<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n<p>Not found.";
  EXPECT_EQ(ErrorOf(404, page).code(), absl::StatusCode::kNotFound);
  for (const int status : {403, 404, 413}) EXPECT_FALSE(IsTransient(ErrorOf(status, page)));
  for (const int status : {400, 502}) EXPECT_TRUE(IsTransient(ErrorOf(status, page))) << status;
}

TEST(ApiErrorTest, GoogleErrorNeedsJsonStatus) {
  EXPECT_TRUE(IsGoogleError(ErrorOf(400, R"({"error":{"status":"INVALID_ARGUMENT"}})")));
  for (const char* body : {"", "<html>", "{}", R"({"error":"invalid"})", R"({"error":{}})"}) {
    EXPECT_FALSE(IsGoogleError(ErrorOf(400, body))) << body;
  }
}

TEST(ApiErrorTest, SecretsAreRemovedFromMessages) {
  const std::string secret = "ya29.long-token";
  const std::string filler(592, 'x');
  for (const std::string& said :
       {secret, std::string(R"(\u0079a29.long-token)"), filler + secret}) {
    const absl::Status error = MakeApiError(
        MakeResponse(
            400, absl::StrCat(R"({"error":{"message":")", said == secret ? said : said, "\"}}")),
        "host", {secret});
    EXPECT_FALSE(absl::StrContains(error.message(), "29.l")) << error;
  }
}

TEST(ApiErrorTest, EmulatorSizeLimitIsNotTransient) {
  const auto body = R"({"error":{"message":"gRPC message exceeds maximum size 4194304: 5"}})";
  EXPECT_FALSE(IsTransient(ErrorOf(429, body)));
}

TEST(ApiErrorTest, RetryAfterIsKept) {
  const absl::Status error = MakeApiError(MakeResponse(503, "", {{"Retry-After", "7"}}), "host");
  EXPECT_EQ(RetryAfter(error), absl::Seconds(7));
  EXPECT_EQ(RetryAfter(ErrorOf(503)), std::nullopt);
}

TEST(ApiErrorTest, MessageQuotesServerAndAnswer) {
  EXPECT_EQ(ErrorOf(404, " No such object: b/o\n").message(),
            "host: HTTP 404: No such object: b/o");
  EXPECT_EQ(ErrorOf(400, R"({"error":{"message":"two\nlines"}})").message(),
            "host: HTTP 400: two\\nlines");
  EXPECT_EQ(ErrorOf(502, " <html>a page</html>").message(), "host: HTTP 502");
  EXPECT_LT(ErrorOf(400, std::string(100'000, 'x')).message().size(), 1000u);
}

TEST(ApiErrorTest, UnexpectedJsonIsTolerated) {
  for (const char* body :
       {R"({"error":7})", R"({"error":{"message":7,"errors":7,"details":[7,{"metadata":7}]}})",
        R"({"error":{"errors":[null,{"reason":{}}]}})", "[]", "null", "{", "\xFF\xFE"}) {
    EXPECT_EQ(ErrorOf(403, body).code(), absl::StatusCode::kPermissionDenied) << body;
  }
}

TEST(ApiErrorTest, MissingScopeNamesRemedy) {
  const auto cloud = R"({"error":{"status":"PERMISSION_DENIED","message":"no",
      "details":[{"reason":"ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]}})";
  EXPECT_TRUE(Says(ErrorOf(403, cloud), "--scopes=cloud-platform"));
  const auto challenge = R"(Bearer error="insufficient_scope")";
  EXPECT_TRUE(Says(MakeApiError(MakeResponse(403, "", {{"WWW-Authenticate", challenge}}), "host"),
                   "--scopes=cloud-platform"));
}

TEST(ApiErrorTest, DisabledApiIsNamed) {
  const auto body = R"({"error":{"status":"PERMISSION_DENIED","message":"disabled",
      "details":[{"reason":"SERVICE_DISABLED",
                  "metadata":{"service":"datastore.googleapis.com"}}]}})";
  EXPECT_TRUE(Says(ErrorOf(403, body), "gcloud services enable datastore.googleapis.com"));
}

TEST(ApiErrorTest, ProxyLimitOnSizeIsNamed) {
  const absl::Status page = ErrorOf(413, "<html>413 Request Entity Too Large</html>");
  EXPECT_TRUE(IsTransient(page));
  EXPECT_TRUE(Says(page, "HTTP 413")) << page;
  EXPECT_TRUE(Says(page, "a proxy refuses a request of this size")) << page;
  const absl::Status google = ErrorOf(413, R"({"error":{"message":"too large"}})");
  EXPECT_FALSE(IsTransient(google) || Says(google, "proxy")) << google;
}

TEST(ApiErrorTest, RefusalNamesNeededRoles) {
  EXPECT_TRUE(Says(ErrorOf(403, "no"), "the account needs roles/datastore.user"));
  EXPECT_TRUE(Says(MakeApiError(MakeResponse(403), "host", {}, "roles/x"), "needs roles/x"));
}

TEST(ApiErrorTest, BillingErrorIsNamed) {
  EXPECT_TRUE(Says(ErrorOf(403, R"({"error":{"message":"Billing is off"}})"), "billing account"));
}

}  // namespace
}  // namespace sparkles
