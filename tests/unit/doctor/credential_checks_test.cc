#include "doctor/credential_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "doctor/vm_checks.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_credentials.h"
#include "tests/support/finding_text.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char kAuth[] = "https://www.googleapis.com/auth/";

class OneToken : public TokenSource {
 public:
  absl::StatusOr<AccessToken> Get(const CancelToken&) override { return token; }
  void Invalidate(const AccessToken&) override {}

  absl::StatusOr<AccessToken> token = absl::FailedPreconditionError("no credentials");
};

class CredentialChecksTest : public testing::Test {
 protected:
  std::string Credentials() {
    return FindingText([&](Findings& findings) {
      CheckCredentials(EnvironmentOf(variables_), tokens_, clock_, cancel_, findings);
    });
  }

  std::string Scopes(const std::string& scopes, bool needs_datastore = true) {
    AnswerMetadata("scopes", scopes);
    return FindingText([&](Findings& findings) {
      CheckScopes(EnvironmentOf(variables_), metadata_, needs_datastore, cancel_, findings);
    });
  }

  void AnswerMetadata(const std::string& path, const std::string& text, int status = 200) {
    server_.Answer(path, MakeResponse(status, text, {{"Metadata-Flavor", "Google"}}));
  }

  void AnswerIdentity() {
    AnswerMetadata("instance/zone", "projects/1/zones/z");
    AnswerMetadata("instance/name", "vm");
    AnswerMetadata("external-ip", "203.0.113.7");
    AnswerMetadata("machine-type", "projects/1/machineTypes/n2-standard-4");
  }

  std::string Vm() {
    return FindingText([&](Findings& findings) { CheckVm(metadata_, cancel_, findings); });
  }

  void UseFile(const std::string& text) {
    ASSERT_TRUE(WriteFileAtomically(directory_ / "key.json", text, false).ok());
    variables_["GOOGLE_APPLICATION_CREDENTIALS"] = directory_ / "key.json";
  }

  TempDirectory directory_;
  std::map<std::string, std::string> variables_;
  FakeClock clock_;
  CancelToken cancel_;
  OneToken tokens_;
  ScriptedTransport server_;
  MetadataServer metadata_{{"metadata", true}, server_, clock_, absl::ZeroDuration()};
};

TEST_F(CredentialChecksTest, AccountAndPlaceAreNamedWithoutSecret) {
  tokens_.token = AccessToken{.value = "ya29.secret",
                              .expiry = clock_.Now() + absl::Minutes(59),
                              .quota_project = "",
                              .owner = "service account a@b"};
  EXPECT_EQ(Credentials(),
            "OK    credentials: service account a@b, from the metadata server; the token is valid "
            "for 59 minutes\n");
  UseFile(DumpJson(ServiceAccountFields()));
  EXPECT_THAT(Credentials(),
              AllOf(HasSubstr("from " + (directory_ / "key.json")), Not(HasSubstr("ya29"))));
}

TEST_F(CredentialChecksTest, RemedyDependsOnPlace) {
  EXPECT_THAT(Credentials(), AllOf(StartsWith("FAIL  credentials: no credentials"),
                                   HasSubstr("or give the VM a service account")));
  UseFile(DumpJson(ServiceAccountFields()));
  EXPECT_THAT(Credentials(), HasSubstr("Remedy: make a new key"));
  tokens_.token = absl::InvalidArgumentError("private_key: is missing");
  EXPECT_THAT(Credentials(), HasSubstr("Remedy: correct the file"));
}

TEST_F(CredentialChecksTest, BrokenFileAsksForNoToken) {
  tokens_.token = AccessToken{};
  UseFile("{");
  EXPECT_THAT(Credentials(), AllOf(StartsWith("FAIL"), HasSubstr("key.json"),
                                   HasSubstr("Remedy: correct the file")));
}

TEST_F(CredentialChecksTest, SufficientScopesAreGood) {
  EXPECT_THAT(Scopes(absl::StrCat(kAuth, "cloud-platform\n")), StartsWith("OK    scopes: "));
  EXPECT_THAT(Scopes(absl::StrCat(kAuth, "datastore\n", kAuth, "devstorage.full_control\n")),
              StartsWith("OK"));
  EXPECT_THAT(Scopes(absl::StrCat(kAuth, "devstorage.read_write"), /*needs_datastore=*/false),
              StartsWith("OK"));
}

TEST_F(CredentialChecksTest, MissingScopesAreNamed) {
  EXPECT_THAT(Scopes(absl::StrCat(kAuth, "devstorage.read_only\n")),
              AllOf(StartsWith("FAIL  scopes: the VM lacks datastore and devstorage.read_write"),
                    HasSubstr("--scopes=cloud-platform")));
  EXPECT_THAT(Scopes(""), HasSubstr("it has none"));
}

TEST_F(CredentialChecksTest, FileNeedsNoScopes) {
  UseFile(DumpJson(ServiceAccountFields()));
  EXPECT_EQ(FindingText([&](Findings& findings) {
              CheckScopes(EnvironmentOf(variables_), metadata_, true, cancel_, findings);
            }),
            "");
}

TEST_F(CredentialChecksTest, VmIsNamed) {
  AnswerIdentity();
  AnswerMetadata("instance/preempted", "FALSE");
  AnswerMetadata("scheduling/preemptible", "TRUE");
  EXPECT_EQ(Vm(),
            "OK    metadata server: this VM is projects/1/zones/z/vm, n2-standard-4, at "
            "203.0.113.7\nOK    preemption: the VM is preemptible, and is not being preempted\n");
}

TEST_F(CredentialChecksTest, PreemptedVmFails) {
  AnswerIdentity();
  AnswerMetadata("instance/preempted", "TRUE");
  EXPECT_THAT(Vm(), HasSubstr("FAIL  preemption: Google is taking this VM back"));
}

TEST_F(CredentialChecksTest, SilentMetadataServerFails) {
  server_.Fail("instance/zone", absl::UnavailableError("refused"));
  EXPECT_THAT(Vm(), AllOf(StartsWith("FAIL  metadata server: "), HasSubstr("refused")));
}

TEST_F(CredentialChecksTest, OtherMachineNeedsLocalhost) {
  MetadataServer none({"", false}, server_, clock_);
  EXPECT_THAT(FindingText([&](Findings& findings) { CheckVm(none, cancel_, findings); }),
              AllOf(StartsWith("FAIL"), HasSubstr("Remedy: use --localhost")));
}

}  // namespace
}  // namespace sparkles
