#include "gcp/adc.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "http/transient.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_credentials.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

constexpr char kToken[] = R"({"access_token":"ya29.x","expires_in":3599})";

class AdcTest : public testing::Test {
 protected:
  absl::StatusOr<AccessToken> Get(std::map<std::string, std::string> variables) {
    DefaultTokenSource source(EnvironmentOf(std::move(variables)), metadata_, transport_, clock_);
    return source.Get(cancel_);
  }
  absl::StatusOr<std::string> Project(std::map<std::string, std::string> variables,
                                      absl::string_view flag = "") {
    return FindProjectId(flag, EnvironmentOf(std::move(variables)), metadata_, cancel_);
  }
  std::string Write(const Json& fields) {
    const std::string path = directory_ / "credentials.json";
    EXPECT_TRUE(WriteFileAtomically(path, DumpJson(fields), false).ok());
    return path;
  }
  void AnswerMetadata(absl::string_view path, absl::string_view text) {
    transport_.Answer(path, MakeResponse(200, text, {{"Metadata-Flavor", "Google"}}));
  }
  void NoMetadataServer() {
    transport_.Fail("169.254.169.254", Transient(absl::UnavailableError("no route"), false));
  }

  CancelToken cancel_;
  FakeClock clock_;
  ScriptedTransport transport_;
  MetadataServer metadata_{{"169.254.169.254", false}, transport_, clock_};
  TempDirectory directory_;
};

TEST_F(AdcTest, NamedCredentialsFileIsUsed) {
  transport_.Answer("oauth2", MakeResponse(200, kToken));
  const auto token = Get({{"GOOGLE_APPLICATION_CREDENTIALS", Write(AuthorizedUserFields())}});
  EXPECT_EQ(token->value, "ya29.x");
  EXPECT_EQ(token->quota_project, "quota-project");
}

TEST_F(AdcTest, QuotaProjectVariableOverridesFile) {
  transport_.Answer("oauth2", MakeResponse(200, kToken));
  EXPECT_EQ(Get({{"GOOGLE_APPLICATION_CREDENTIALS", Write(AuthorizedUserFields())},
                 {"GOOGLE_CLOUD_QUOTA_PROJECT", "other"}})
                ->quota_project,
            "other");
}

TEST_F(AdcTest, VmAccountIgnoresQuotaProjectVariable) {
  AnswerMetadata("/token", kToken);
  AnswerMetadata("/email", "vm@p");
  AnswerMetadata("/scopes", "s");
  const auto token = Get({{"GOOGLE_CLOUD_QUOTA_PROJECT", "other"}});
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->quota_project, "");
}

TEST_F(AdcTest, QuotaProjectIsTrimmedAndValidated) {
  for (int i = 0; i < 2; ++i) transport_.Answer("oauth2", MakeResponse(200, kToken));
  Json fields = AuthorizedUserFields();
  fields["quota_project_id"] = " of-file\r\n";
  const std::string path = Write(fields);
  std::map<std::string, std::string> variables = {{"GOOGLE_APPLICATION_CREDENTIALS", path}};
  EXPECT_EQ(Get(variables)->quota_project, "of-file");
  variables["GOOGLE_CLOUD_QUOTA_PROJECT"] = "other\n";
  EXPECT_EQ(Get(variables)->quota_project, "other");
  variables["GOOGLE_CLOUD_QUOTA_PROJECT"] = "two\nlines";
  EXPECT_EQ(Get(variables).status().message(),
            "GOOGLE_CLOUD_QUOTA_PROJECT: is not a valid project name");
  variables.erase("GOOGLE_CLOUD_QUOTA_PROJECT");
  fields["quota_project_id"] = "two words";
  Write(fields);
  EXPECT_EQ(Get(variables).status().message(),
            absl::StrCat(path, ": quota_project_id: is not a valid project name"));
}

TEST_F(AdcTest, BadFileErrorNamesField) {
  const std::string path = Write({{"type", "service_account"}});
  const absl::Status error = Get({{"GOOGLE_APPLICATION_CREDENTIALS", path}}).status();
  EXPECT_TRUE(absl::StartsWith(error.message(), absl::StrCat(path, ": private_key: "))) << error;
}

TEST_F(AdcTest, VmAccountIsUsedWithoutFile) {
  AnswerMetadata("/token", kToken);
  AnswerMetadata("/email", "vm@p");
  AnswerMetadata("/scopes", "s");
  EXPECT_EQ(Get({{"HOME", directory_.path()}})->value, "ya29.x");
}

TEST_F(AdcTest, MissingCredentialsErrorNamesAllPlaces) {
  NoMetadataServer();
  const absl::Status error = Get({{"HOME", "/home/x"}}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(error));
  EXPECT_FALSE(IsTransient(error));
  for (const char* place : {"GOOGLE_APPLICATION_CREDENTIALS is not set",
                            "no file /home/x/.config/gcloud/application_default_credentials.json",
                            "no metadata server answers at 169.254.169.254"}) {
    EXPECT_TRUE(absl::StrContains(error.message(), place)) << error;
  }
  EXPECT_TRUE(absl::StrContains(Get({}).status().message(), "HOME is not set"));
}

TEST_F(AdcTest, FileCreatedLaterIsFound) {
  const std::string path = directory_ / "credentials.json";
  DefaultTokenSource source(EnvironmentOf({{"GOOGLE_APPLICATION_CREDENTIALS", path}}), metadata_,
                            transport_, clock_);
  EXPECT_TRUE(absl::IsNotFound(source.Get(cancel_).status()));
  Write(AuthorizedUserFields());
  transport_.Answer("oauth2", MakeResponse(200, kToken));
  EXPECT_TRUE(source.Get(cancel_).ok());
}

TEST_F(AdcTest, ProjectSourcesHaveFixedOrder) {
  const std::string path = Write(ServiceAccountFields());
  std::map<std::string, std::string> variables = {{"GOOGLE_APPLICATION_CREDENTIALS", path}};
  EXPECT_EQ(Project(variables).value(), "file-project");
  variables["GCLOUD_PROJECT"] = "g";
  EXPECT_EQ(Project(variables).value(), "g");
  variables["GOOGLE_CLOUD_PROJECT"] = "c";
  EXPECT_EQ(Project(variables).value(), "c");
  variables["DATASTORE_PROJECT_ID"] = "d";
  EXPECT_EQ(Project(variables).value(), "c");
  variables["DATASTORE_EMULATOR_HOST"] = "localhost:1";
  EXPECT_EQ(Project(variables).value(), "d");
  EXPECT_EQ(Project(variables, "flag").value(), "flag");
}

TEST_F(AdcTest, UserProjectIsQuotaProject) {
  EXPECT_EQ(Project({{"GOOGLE_APPLICATION_CREDENTIALS", Write(AuthorizedUserFields())}}).value(),
            "quota-project");
}

TEST_F(AdcTest, VmProjectComesFromMetadata) {
  AnswerMetadata("project/project-id", "vm-project");
  EXPECT_EQ(Project({}).value(), "vm-project");
}

TEST_F(AdcTest, UnknownProjectErrorNamesFlag) {
  NoMetadataServer();
  const absl::Status error = Project({}).status();
  EXPECT_TRUE(absl::StrContains(error.message(), "--projectId")) << error;
  EXPECT_TRUE(absl::StrContains(error.message(), "no metadata server")) << error;
}

}  // namespace
}  // namespace sparkles
