#include "gcp/metadata_server.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "gcp/metadata_token.h"
#include "http/transient.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_credentials.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

HttpResponse Flavored(int status, absl::string_view body, absl::string_view etag = "") {
  return MakeResponse(status, body, {{"Metadata-Flavor", "Google"}, {"ETag", std::string(etag)}});
}

absl::Status Refused() { return Transient(absl::UnavailableError("refused"), false); }

class MetadataServerTest : public testing::Test {
 protected:
  CancelToken cancel_;
  FakeClock clock_;
  ScriptedTransport transport_;
  MetadataServer vm_{{"169.254.169.254", true}, transport_, clock_};
  MetadataServer elsewhere_{{"169.254.169.254", false}, transport_, clock_};
};

TEST_F(MetadataServerTest, RequestHasFlavorAndBypassesProxy) {
  transport_.Answer("GET http://169.254.169.254/computeMetadata/v1/instance/name",
                    Flavored(200, "vm-1\n"));
  EXPECT_EQ(vm_.Get("instance/name", cancel_).value(), "vm-1");
  const HttpRequest request = transport_.requests().at(0);
  EXPECT_EQ(*request.headers.Find("Metadata-Flavor"), "Google");
  EXPECT_TRUE(request.bypass_proxy);
}

TEST_F(MetadataServerTest, AnswerWithoutFlavorIsRejected) {
  for (const int status : {200, 302, 404}) {
    transport_.Answer("", MakeResponse(status, "log in to the hotel's network"));
    MetadataServer elsewhere({"169.254.169.254", false}, transport_, clock_);
    const absl::Status error = elsewhere.Get("instance/name", cancel_).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(error)) << error;
  }
}

TEST_F(MetadataServerTest, VmRetriesAnswersWithoutFlavor) {
  for (const int status : {200, 302, 403, 404}) {
    transport_.Answer("name", MakeResponse(status, "log in to the hotel's network"));
  }
  transport_.Answer("name", Flavored(200, "vm-1"));
  EXPECT_EQ(vm_.Get("instance/name", cancel_).value(), "vm-1");
  transport_.Answer("zone", Flavored(200, "z"));
  EXPECT_TRUE(elsewhere_.Get("instance/zone", cancel_).ok());
  transport_.Answer("zone", MakeResponse(200, "log in to the hotel's network"));
  EXPECT_TRUE(IsTransient(elsewhere_.Peek("instance/zone", cancel_).status()));
}

TEST_F(MetadataServerTest, MissingValueIsNamed) {
  transport_.Answer("", Flavored(404, "<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>"));
  const absl::Status error = vm_.Get("instance/attributes/x", cancel_).status();
  EXPECT_TRUE(absl::IsNotFound(error));
  EXPECT_TRUE(absl::StartsWith(error.message(), "instance/attributes/x: ")) << error;
}

TEST_F(MetadataServerTest, VmWaitsForMetadataServer) {
  for (int i = 0; i < 4; ++i) transport_.Fail("", Refused());
  transport_.Answer("", MakeResponse(503));
  transport_.Answer("", Flavored(200, "vm-1"));
  EXPECT_EQ(vm_.Get("instance/name", cancel_).value(), "vm-1");
}

TEST_F(MetadataServerTest, VmWaitIsLimited) {
  class Dead : public HttpTransport {
    absl::StatusOr<HttpResponse> Send(const HttpRequest&) override { return Refused(); }
  } dead;
  MetadataServer server({"169.254.169.254", true}, dead, clock_);
  const absl::Time before = clock_.Now();
  EXPECT_TRUE(IsTransient(server.Get("instance/name", cancel_).status()));
  EXPECT_LE(clock_.Now() - before, absl::Seconds(30));
  EXPECT_GE(clock_.Now() - before, absl::Seconds(20));
}

TEST_F(MetadataServerTest, OtherMachinesProbeOnce) {
  transport_.Fail("", Refused());
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(absl::IsFailedPrecondition(elsewhere_.Get("instance/name", cancel_).status()));
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(elsewhere_.Peek("instance/name", cancel_).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      elsewhere_.WaitForChange("instance/preempted", "e", absl::Seconds(60), cancel_).status()));
  EXPECT_EQ(transport_.requests().size(), 1u);
  EXPECT_LE(transport_.requests()[0].timeout, absl::Seconds(1));
  EXPECT_TRUE(clock_.sleeps().empty());
}

TEST_F(MetadataServerTest, OtherCloudsServerIsRejected) {
  transport_.Answer("", MakeResponse(401, "no token"));
  EXPECT_TRUE(absl::IsFailedPrecondition(elsewhere_.Get("instance/name", cancel_).status()));
  EXPECT_FALSE(elsewhere_.Get("instance/zone", cancel_).ok());
}

TEST_F(MetadataServerTest, AnsweredProbeEnablesRetries) {
  transport_.Answer("name", Flavored(200, "vm-1"));
  transport_.Fail("zone", Refused());
  transport_.Answer("zone", Flavored(200, "projects/1/zones/z"));
  EXPECT_TRUE(elsewhere_.Get("instance/name", cancel_).ok());
  EXPECT_TRUE(elsewhere_.Get("instance/zone", cancel_).ok());
}

TEST_F(MetadataServerTest, CancelledProbeIsRepeated) {
  CancelToken hurried;
  transport_.Do("", [&](const HttpRequest&) -> absl::StatusOr<HttpResponse> {
    hurried.Cancel(CancelKind::kHandBack, "SIGTERM");
    return absl::CancelledError("SIGTERM");
  });
  EXPECT_TRUE(absl::IsCancelled(elsewhere_.Get("instance/name", hurried).status()));
  transport_.Answer("", Flavored(200, "vm-1"));
  EXPECT_EQ(elsewhere_.Get("instance/name", cancel_).value(), "vm-1");
}

TEST_F(MetadataServerTest, IdentityHasOwnerAddressAndType) {
  transport_.Answer("instance/zone", Flavored(200, "projects/123/zones/us-east1-b"));
  transport_.Answer("instance/name", Flavored(200, "vm-name"));
  transport_.Answer("/external-ip", Flavored(200, "34.1.2.3"));
  transport_.Answer("machine-type", Flavored(200, "projects/123/machineTypes/n2-standard-4"));
  const auto identity = vm_.Identity(cancel_);
  EXPECT_EQ(identity->owner, "projects/123/zones/us-east1-b/vm-name");
  EXPECT_EQ(identity->address, "34.1.2.3");
  EXPECT_EQ(identity->machine_type, "n2-standard-4");
}

// D61
TEST_F(MetadataServerTest, InternalAddressReplacesMissingExternal) {
  for (const auto& none : {Flavored(404, "Not Found"), Flavored(200, "")}) {
    transport_.Answer("instance/zone", Flavored(200, "projects/123/zones/z"));
    transport_.Answer("instance/name", Flavored(200, "vm"));
    transport_.Answer("/external-ip", none);
    transport_.Answer("interfaces/0/ip", Flavored(200, "10.0.0.9"));
    transport_.Answer("machine-type", Flavored(404, ""));
    const auto identity = vm_.Identity(cancel_);
    EXPECT_EQ(identity->address, "10.0.0.9");
    EXPECT_EQ(identity->machine_type, "");
  }
}

TEST_F(MetadataServerTest, InvalidZoneOrNameIsRefused) {
  const std::pair<const char*, const char*> kZoneAndName[] = {
      {"projects/1/zones/z", ""},  {"", "vm"},
      {"/zones/z", "vm"},          {"projects/1/zones/z/", "vm"},
      {"projects//zones/z", "vm"}, {"projects/1/zones/z", "v\nm"}};
  for (const auto& [zone, name] : kZoneAndName) {
    MetadataServer vm({"169.254.169.254", true}, transport_, clock_);
    transport_.Answer("instance/zone", Flavored(200, zone));
    transport_.Answer("instance/name", Flavored(200, name));
    EXPECT_TRUE(absl::IsFailedPrecondition(vm.Identity(cancel_).status())) << zone << " " << name;
  }
}

TEST_F(MetadataServerTest, WaitForChangeSendsLastEtag) {
  transport_.Answer("instance/preempted", Flavored(200, "FALSE", "e1"));
  const auto first = vm_.Peek("instance/preempted", cancel_);
  EXPECT_EQ(first->etag, "e1");
  transport_.Answer("instance/preempted?wait_for_change=true&last_etag=e1&timeout_sec=60",
                    Flavored(200, "TRUE", "e2"));
  const auto second =
      vm_.WaitForChange("instance/preempted", first->etag, absl::Seconds(60), cancel_);
  EXPECT_EQ(second->text, "TRUE");
  EXPECT_EQ(second->etag, "e2");
  const HttpRequest poll = transport_.requests().at(1);
  EXPECT_EQ(poll.timeout, absl::Seconds(70));
  EXPECT_GE(poll.stall_timeout, absl::Seconds(70));
}

TEST_F(MetadataServerTest, TokenNamesAccountAndScopes) {
  const std::string account = "instance/service-accounts/default/";
  transport_.Answer(account + "token", Flavored(200, R"({"access_token":"t","expires_in":60})"));
  transport_.Answer(account + "email", Flavored(200, "vm@p"));
  transport_.Answer(account + "scopes", Flavored(200, "scope/a\nscope/b\n"));
  MetadataTokenSource tokens(vm_, clock_);
  const auto token = tokens.Get(cancel_);
  EXPECT_EQ(token->value, "t");
  EXPECT_EQ(token->expiry, clock_.Now() + absl::Minutes(1));
  EXPECT_EQ(token->owner, "the service account of this VM vm@p with the scopes scope/a scope/b");
  transport_.Answer(account + "token", Flavored(200, R"({"access_token":"u","expires_in":60})"));
  EXPECT_EQ(tokens.Get(cancel_)->value, "u");
}

TEST_F(MetadataServerTest, MissingVmAccountIsNamed) {
  transport_.Answer("token", Flavored(404, "Not Found"));
  const absl::Status error = MetadataTokenSource(vm_, clock_).Get(cancel_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(error));
  EXPECT_TRUE(absl::StrContains(error.message(), "no service account")) << error;
}

TEST(MetadataAddressTest, VariableSetsAddress) {
  const auto find = [](std::map<std::string, std::string> variables) {
    return FindMetadataAddress(EnvironmentOf(std::move(variables)), "/no/such/file");
  };
  EXPECT_EQ(find({{"GCE_METADATA_HOST", "h:1"}}).host, "h:1");
  EXPECT_TRUE(find({{"GCE_METADATA_HOST", "h:1"}}).expected);
  EXPECT_EQ(find({{"GCE_METADATA_ROOT", "http://h:2/"}}).host, "h:2");
  EXPECT_EQ(find({{"GCE_METADATA_IP", "1.2.3.4"}}).host, "1.2.3.4");
  EXPECT_FALSE(find({{"GCE_METADATA_IP", "1.2.3.4"}}).expected);
  EXPECT_EQ(find({{"GCE_METADATA_IP", "fd20:ce::254"}}).host, "[fd20:ce::254]");
  EXPECT_EQ(find({{"GCE_METADATA_HOST", "fd20:ce::254"}}).host, "[fd20:ce::254]");
  EXPECT_EQ(find({{"GCE_METADATA_HOST", "[fd20:ce::254]"}}).host, "[fd20:ce::254]");
  EXPECT_EQ(find({{"GCE_METADATA_HOST", "[fd20:ce::254]:80"}}).host, "[fd20:ce::254]:80");
  EXPECT_EQ(find({}).host, "169.254.169.254");
  EXPECT_FALSE(find({}).expected);
  EXPECT_EQ(find({{"NO_GCE_CHECK", "True"}}).host, "");
}

TEST(MetadataAddressTest, ProductNameDetectsGoogleVm) {
  TempDirectory directory;
  const std::string file = directory / "product_name";
  for (const auto& [text, expected] : std::map<std::string, bool>{
           {"Google Compute Engine\n", true}, {"Google\n", true}, {"Standard PC\n", false}}) {
    ASSERT_TRUE(WriteFileAtomically(file, text, false).ok());
    EXPECT_EQ(FindMetadataAddress(EnvironmentOf({}), file).expected, expected) << text;
  }
}

TEST(MetadataAddressTest, DisabledServerIsNeverAsked) {
  FakeClock clock;
  ScriptedTransport transport;
  CancelToken cancel;
  MetadataServer server({}, transport, clock);
  EXPECT_TRUE(absl::IsFailedPrecondition(server.Get("instance/name", cancel).status()));
}

}  // namespace
}  // namespace sparkles
