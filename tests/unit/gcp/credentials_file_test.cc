#include "gcp/credentials_file.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_credentials.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

constexpr char kToken[] = R"({"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"})";
constexpr char kGenerated[] =
    R"({"accessToken":"ya29.target","expireTime":"2026-01-31T13:00:00Z"})";

// Returns the value of `name` in a form. The value must have no escapes.
std::string FormValue(absl::string_view form, absl::string_view name) {
  for (absl::string_view field : absl::StrSplit(form, '&')) {
    if (absl::ConsumePrefix(&field, absl::StrCat(name, "="))) return std::string(field);
  }
  return "";
}

class CredentialsTest : public testing::Test {
 protected:
  // Makes the source and gets one token.
  absl::StatusOr<AccessToken> GetToken(const Json& fields) {
    auto source = MakeTokenSource(fields, transport_, clock_);
    if (!source.ok()) return source.status();
    return (*source)->Get(cancel_);
  }
  std::string ErrorOf(const Json& fields) {
    return std::string(MakeTokenSource(fields, transport_, clock_).status().message());
  }
  static Json With(Json fields, const char* key, const Json& value) {
    fields[key] = value;
    return fields;
  }
  std::string Body(size_t request) { return transport_.requests().at(request).body; }
  std::string Header(size_t request, absl::string_view name) {
    const HttpRequest sent = transport_.requests().at(request);
    const std::string* value = sent.headers.Find(name);
    return value == nullptr ? "" : *value;
  }

  CancelToken cancel_;
  FakeClock clock_;
  ScriptedTransport transport_;
  TempDirectory directory_;
};

TEST_F(CredentialsTest, ServiceAccountSendsSignedAssertion) {
  transport_.Answer("POST https://oauth2.googleapis.com/token", MakeResponse(200, kToken));
  const auto token = GetToken(ServiceAccountFields());
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->value, "ya29.x");
  EXPECT_EQ(token->owner, "service account worker@p.iam.gserviceaccount.com");

  EXPECT_TRUE(absl::StartsWith(
      Body(0), "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="));
  const std::string jwt = FormValue(Body(0), "assertion");
  EXPECT_TRUE(HasTestSignature(jwt));
  EXPECT_EQ(JwtPart(jwt, 0), (Json{{"alg", "RS256"}, {"typ", "JWT"}, {"kid", "key-7"}}));
  const int64_t issued = absl::ToUnixSeconds(clock_.Now()) - 10;
  EXPECT_EQ(JwtPart(jwt, 1), (Json{{"iss", "worker@p.iam.gserviceaccount.com"},
                                   {"scope", "https://www.googleapis.com/auth/cloud-platform"},
                                   {"aud", "https://oauth2.googleapis.com/token"},
                                   {"iat", issued},
                                   {"exp", issued + 3600}}));
}

TEST_F(CredentialsTest, MissingAndLocalTokenUriWork) {
  Json fields = ServiceAccountFields();
  fields.erase("token_uri");
  fields.erase("private_key_id");
  transport_.Answer("POST https://oauth2.googleapis.com/token", MakeResponse(200, kToken));
  EXPECT_TRUE(GetToken(fields).ok());
  EXPECT_FALSE(JwtPart(FormValue(Body(0), "assertion"), 0).contains("kid"));

  fields["token_uri"] = "http://127.0.0.1:99/token";
  transport_.Answer("POST http://127.0.0.1:99/token", MakeResponse(200, kToken));
  EXPECT_TRUE(GetToken(fields).ok());
  EXPECT_TRUE(transport_.requests().at(1).bypass_proxy);
}

TEST_F(CredentialsTest, UserSendsRefreshToken) {
  transport_.Answer("POST https://oauth2.googleapis.com/token", MakeResponse(200, kToken));
  EXPECT_EQ(GetToken(AuthorizedUserFields())->value, "ya29.x");
  EXPECT_EQ(Body(0),
            "grant_type=refresh_token&client_id=id-1&client_secret=client-secret%2F%2B1&"
            "refresh_token=1%2F%2Frefresh-token");
}

TEST_F(CredentialsTest, RevokedUserErrorNamesLoginCommand) {
  transport_.Answer("", MakeResponse(400, R"({"error":"invalid_grant"})"));
  const absl::Status error = GetToken(AuthorizedUserFields()).status();
  EXPECT_TRUE(absl::StrContains(error.message(), "gcloud auth application-default login")) << error;
}

TEST_F(CredentialsTest, SubjectTokenFileIsReadAgain) {
  const std::string path = directory_ / "subject";
  auto source = MakeTokenSource(ExternalAccountFields(path), transport_, clock_);
  ASSERT_TRUE(source.ok()) << source.status();
  for (const std::string subject : {"one", "two"}) {
    ASSERT_TRUE(WriteFileAtomically(path, subject + "\n", false).ok());
    transport_.Answer("POST https://sts.googleapis.com/v1/token", MakeResponse(200, kToken));
    EXPECT_EQ((*source)->Get(cancel_)->value, "ya29.x");
  }
  EXPECT_EQ(FormValue(Body(0), "subject_token"), "one");
  EXPECT_EQ(FormValue(Body(1), "subject_token"), "two");
  EXPECT_EQ(FormValue(Body(0), "grant_type"),
            "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange");
  EXPECT_EQ(FormValue(Body(0), "subject_token_type"),
            "urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt");
}

TEST_F(CredentialsTest, SubjectTokenComesFromJsonUrl) {
  const Json source = {{"url", "http://169.254.169.254/identity?api=1"},
                       {"headers", {{"Metadata", "True"}}},
                       {"format", {{"type", "json"}, {"subject_token_field_name", "value"}}}};
  transport_.Answer("GET http://169.254.169.254/identity?api=1",
                    MakeResponse(200, R"({"value":"from-url"})"));
  transport_.Answer("POST https://sts.googleapis.com", MakeResponse(200, kToken));
  EXPECT_TRUE(GetToken(With(ExternalAccountFields(""), "credential_source", source)).ok());
  EXPECT_EQ(Header(0, "Metadata"), "True");
  EXPECT_EQ(FormValue(Body(1), "subject_token"), "from-url");
}

TEST_F(CredentialsTest, ExternalAccountImpersonatesServiceAccount) {
  const std::string path = directory_ / "subject";
  ASSERT_TRUE(WriteFileAtomically(path, "subject", false).ok());
  Json fields = ExternalAccountFields(path);
  fields["service_account_impersonation_url"] =
      "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b:generateAccessToken";
  fields["service_account_impersonation"] = {{"token_lifetime_seconds", 1200}};
  transport_.Answer("POST https://sts.googleapis.com", MakeResponse(200, kToken));
  transport_.Answer("a@b:generateAccessToken", MakeResponse(200, kGenerated));
  EXPECT_EQ(GetToken(fields)->value, "ya29.target");
  EXPECT_EQ(ParseJson(Body(1))->at("lifetime"), "1200s");
}

TEST_F(CredentialsTest, ImpersonationUsesSourceToken) {
  transport_.Answer("POST https://oauth2.googleapis.com/token", MakeResponse(200, kToken));
  transport_.Answer(":generateAccessToken", MakeResponse(200, kGenerated));
  const auto token = GetToken(ImpersonatedFields(ServiceAccountFields()));
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->value, "ya29.target");
  EXPECT_EQ(token->expiry, clock_.Now() + absl::Hours(1));
  EXPECT_EQ(Header(1, "Authorization"), "Bearer ya29.x");
  EXPECT_EQ(*ParseJson(Body(1)),
            (Json{{"scope", Json::array({"https://www.googleapis.com/auth/cloud-platform"})},
                  {"lifetime", "3600s"},
                  {"delegates", Json::array({"middle@p.iam.gserviceaccount.com"})}}));
}

TEST_F(CredentialsTest, RefusedImpersonationNamesRole) {
  transport_.Answer("/token", MakeResponse(200, kToken));
  transport_.Answer(":generateAccessToken", MakeResponse(403));
  const absl::Status error = GetToken(ImpersonatedFields(AuthorizedUserFields())).status();
  EXPECT_TRUE(absl::StrContains(error.message(),
                                "needs roles/iam.serviceAccountTokenCreator on "
                                "target@p.iam.gserviceaccount.com"))
      << error;
}

TEST_F(CredentialsTest, ErrorsNameInvalidField) {
  const Json key = ServiceAccountFields();
  const auto starts = [](const std::string& error, absl::string_view field) {
    return absl::StartsWith(error, absl::StrCat(field, ": ")) ? "" : error;
  };
  EXPECT_EQ(starts(ErrorOf(With(key, "private_key", "no key")), "private_key"), "");
  EXPECT_EQ(starts(ErrorOf(With(key, "private_key", 7)), "private_key"), "");
  EXPECT_EQ(starts(ErrorOf(With(key, "client_email", nullptr)), "client_email"), "");
  EXPECT_EQ(starts(ErrorOf(With(key, "token_uri", "https://evil.com/token")), "token_uri"), "");
  EXPECT_EQ(starts(ErrorOf(With(key, "universe_domain", "evil.com")), "universe_domain"), "");
  EXPECT_EQ(starts(ErrorOf(With(AuthorizedUserFields(), "refresh_token", "")), "refresh_token"),
            "");
  const Json external = ExternalAccountFields("/x");
  EXPECT_EQ(starts(ErrorOf(With(external, "token_url", "http://sts.googleapis.com")), "token_url"),
            "");
  EXPECT_EQ(starts(ErrorOf(With(external, "credential_source",
                                {{"executable", {{"command", "/bin/x"}}}})),
                   "credential_source"),
            "");
  EXPECT_EQ(starts(ErrorOf(With(external, "credential_source", {{"url", "http://evil.com"}})),
                   "credential_source.url"),
            "");
  EXPECT_EQ(starts(ErrorOf(With(external, "service_account_impersonation_url", "https://evil.com")),
                   "service_account_impersonation_url"),
            "");
  EXPECT_EQ(starts(ErrorOf(ImpersonatedFields(ImpersonatedFields(key))), "source_credentials"), "");
  EXPECT_EQ(starts(ErrorOf(ImpersonatedFields(With(key, "client_email", ""))),
                   "source_credentials: client_email"),
            "");
}

TEST_F(CredentialsTest, UnknownTypeIsNamed) {
  const std::string error = ErrorOf({{"type", "gdch_service_account"}});
  EXPECT_TRUE(absl::StrContains(error, "'gdch_service_account' is not supported")) << error;
  EXPECT_TRUE(absl::StrContains(error, "external_account")) << error;
}

TEST_F(CredentialsTest, ErrorsHoldNoSecret) {
  const std::string path = directory_ / "subject";
  ASSERT_TRUE(WriteFileAtomically(path, "the-subject-token", false).ok());
  const std::string key_line = std::vector<std::string>(absl::StrSplit(TestKeyPem(), '\n')).at(3);
  const std::vector<std::string> secrets = {
      key_line, "client-secret", "refresh-token", "the-subject-token", "eyJ", "ya29"};
  // A server that quotes the body and the headers of the request in its error.
  const auto quote = [](const HttpRequest& request) {
    std::string sent = request.body;
    for (const auto& [name, value] : request.headers.entries()) absl::StrAppend(&sent, " ", value);
    return MakeResponse(400,
                        DumpJson(Json{{"error", "invalid_grant"}, {"error_description", sent}}));
  };
  std::vector<std::string> errors;
  for (const Json& fields :
       {ServiceAccountFields(), AuthorizedUserFields(), ExternalAccountFields(path)}) {
    transport_.Do("", quote);
    errors.push_back(GetToken(fields).status().ToString());
  }
  transport_.Answer("/token", MakeResponse(200, kToken));
  transport_.Do(":generateAccessToken", quote);
  errors.push_back(GetToken(ImpersonatedFields(AuthorizedUserFields())).status().ToString());
  const std::string broken_key = absl::StrCat(TestKeyPem().substr(0, 400), "!");
  errors.push_back(ErrorOf(With(ServiceAccountFields(), "private_key", broken_key)));
  for (const std::string& error : errors) {
    EXPECT_GT(error.size(), 20u);
    for (const std::string& secret : secrets) {
      EXPECT_FALSE(absl::StrContains(error, secret)) << error;
    }
  }
}

class FindCredentialsFileTest : public testing::Test {
 protected:
  std::string Write(const std::string& name, absl::string_view text) {
    const std::string path = directory_ / name;
    EXPECT_TRUE(MakeDirectories(DirectoryOf(path)).ok());
    EXPECT_TRUE(WriteFileAtomically(path, text, false).ok());
    return path;
  }
  TempDirectory directory_;
};

TEST_F(FindCredentialsFileTest, NamedFilePrecedesGcloudFile) {
  const std::string named = Write("named.json", R"({"type":"a"})");
  Write(".config/gcloud/application_default_credentials.json", R"({"type":"b"})");
  const auto home = directory_.path();
  const auto both = FindCredentialsFile(
      EnvironmentOf({{"GOOGLE_APPLICATION_CREDENTIALS", named}, {"HOME", home}}));
  EXPECT_EQ((*both)->fields["type"], "a");
  EXPECT_EQ((*FindCredentialsFile(EnvironmentOf({{"HOME", home}})))->fields["type"], "b");
}

TEST_F(FindCredentialsFileTest, CloudsdkConfigMovesGcloudDirectory) {
  Write("application_default_credentials.json", R"({"type":"c"})");
  const auto file = FindCredentialsFile(
      EnvironmentOf({{"CLOUDSDK_CONFIG", directory_.path()}, {"HOME", "/nowhere"}}));
  EXPECT_EQ((*file)->fields["type"], "c");
}

TEST_F(FindCredentialsFileTest, InvalidNamedFileEndsSearch) {
  Write(".config/gcloud/application_default_credentials.json", R"({"type":"b"})");
  for (const std::string& path :
       {directory_ / "missing.json", directory_.path(), Write("cut.json", "{\"type\":"),
        Write("list.json", "[]"), Write("empty.json", "")}) {
    const auto found = FindCredentialsFile(
        EnvironmentOf({{"GOOGLE_APPLICATION_CREDENTIALS", path}, {"HOME", directory_.path()}}));
    EXPECT_TRUE(absl::StartsWith(found.status().message(),
                                 absl::StrCat("GOOGLE_APPLICATION_CREDENTIALS: ", path)))
        << found.status();
  }
}

TEST_F(FindCredentialsFileTest, NoFileMeansNoCredentials) {
  EXPECT_EQ(*FindCredentialsFile(EnvironmentOf({})) == std::nullopt, true);
  EXPECT_FALSE(FindCredentialsFile(EnvironmentOf({{"HOME", directory_.path()}}))->has_value());
}

}  // namespace
}  // namespace sparkles
