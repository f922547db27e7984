#include "gcp/api_client.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "http/transient.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_credentials.h"
#include "tests/support/scripted_transport.h"

namespace sparkles {
namespace {

constexpr char kBase[] = "https://storage.googleapis.com";

// Returns token-0, and the next token after each Drop.
class CountingTokens : public TokenSource {
 public:
  absl::StatusOr<AccessToken> Get(const CancelToken&) override {
    if (!error.ok()) return error;
    return AccessToken{absl::StrCat("token-", drops), absl::InfiniteFuture(), quota_project,
                       "service account x@y"};
  }
  void Invalidate(const AccessToken& token) override {
    EXPECT_EQ(token.value, absl::StrCat("token-", drops));
    ++drops;
  }

  int drops = 0;
  std::string quota_project;
  absl::Status error;
};

class ApiClientTest : public testing::Test {
 protected:
  HttpRequest Get(const std::string& url) {
    ++made_;
    HttpRequest request;
    request.url = url;
    return request;
  }
  absl::StatusOr<HttpResponse> Once(std::initializer_list<int> also_good = {},
                                    const std::string& url = absl::StrCat(kBase, "/o")) {
    return client_.SendOnce([&] { return Get(url); }, cancel_, also_good);
  }
  absl::StatusOr<HttpResponse> Send(Idempotency idempotency) {
    return client_.Send([&] { return Get(absl::StrCat(kBase, "/o")); }, {}, idempotency, cancel_);
  }
  std::string Header(size_t request, absl::string_view name) {
    const HttpRequest sent = transport_.requests().at(request);
    const std::string* value = sent.headers.Find(name);
    return value == nullptr ? "" : *value;
  }

  int made_ = 0;
  CancelToken cancel_;
  FakeClock clock_;
  CountingTokens tokens_;
  ScriptedTransport transport_;
  ApiClient client_{{kBase, &tokens_}, transport_, clock_};
};

TEST_F(ApiClientTest, RequestCarriesTokenAndQuotaProject) {
  tokens_.quota_project = "q";
  transport_.Answer("GET", MakeResponse(204));
  EXPECT_EQ(Once()->status, 204);
  EXPECT_EQ(Header(0, "Authorization"), "Bearer token-0");
  EXPECT_EQ(Header(0, "X-Goog-User-Project"), "q");
}

TEST_F(ApiClientTest, EmulatorGetsNoToken) {
  ApiClient client({EmulatorUrl("localhost:1"), nullptr}, transport_, clock_);
  transport_.Answer("GET http://localhost:1/o", MakeResponse(200));
  EXPECT_TRUE(client.SendOnce([&] { return Get("http://localhost:1/o"); }, cancel_).ok());
  EXPECT_EQ(Header(0, "Authorization"), "");
}

TEST_F(ApiClientTest, OtherHostGetsNoToken) {
  for (const char* url : {"https://evil.com/o", "https://storage.googleapis.com.evil.com/o"}) {
    transport_.Answer(url, MakeResponse(200));
    EXPECT_TRUE(Once({}, url).ok());
  }
  EXPECT_EQ(Header(0, "Authorization"), "");
  EXPECT_EQ(Header(1, "Authorization"), "");
}

TEST_F(ApiClientTest, RefusedTokenIsReplacedOnce) {
  transport_.Answer("", MakeResponse(401));
  transport_.Answer("", MakeResponse(200, "body"));
  EXPECT_EQ(Once()->body, "body");
  EXPECT_EQ(Header(1, "Authorization"), "Bearer token-1");
  EXPECT_EQ(made_, 2);
}

TEST_F(ApiClientTest, SecondTokenRefusalIsMachineFault) {
  transport_.Answer("", MakeResponse(401));
  transport_.Answer("", MakeResponse(401));
  const absl::Status error = Once().status();
  EXPECT_TRUE(absl::IsUnauthenticated(error));
  EXPECT_TRUE(IsMachineFault(error)) << error;  // not a fault of the task
  EXPECT_EQ(tokens_.drops, 2);
}

TEST_F(ApiClientTest, AcceptedStatusIsReturned) {
  transport_.Answer("", MakeResponse(404, "x"));
  EXPECT_EQ(Once({412, 404})->body, "x");
  transport_.Answer("", MakeResponse(308));
  EXPECT_FALSE(Once().ok());
}

TEST_F(ApiClientTest, RefusalNamesAccountWithoutSecret) {
  transport_.Answer("", MakeResponse(403, "Bearer token-0 may not do that"));
  const absl::Status error = Once().status();
  EXPECT_TRUE(absl::IsPermissionDenied(error));
  EXPECT_TRUE(absl::StrContains(error.message(), "storage.googleapis.com: HTTP 403")) << error;
  EXPECT_TRUE(absl::StrContains(error.message(), "[asked as service account x@y]")) << error;
  EXPECT_FALSE(absl::StrContains(error.message(), "token-0")) << error;
}

TEST_F(ApiClientTest, CredentialErrorIsNotMaybeApplied) {
  tokens_.error = Transient(absl::UnavailableError("down"), /*maybe_applied=*/true);
  const absl::Status error = Once().status();
  EXPECT_TRUE(IsTransient(error));
  EXPECT_FALSE(MaybeApplied(error));
}

// A missing token file must not look like a missing object.
TEST_F(ApiClientTest, CredentialErrorIsMachineFault) {
  for (const absl::Status& error :
       {absl::NotFoundError("key file"), absl::InvalidArgumentError("key file"),
        absl::PermissionDeniedError("key file"), absl::AbortedError("key file")}) {
    tokens_.error = error;
    EXPECT_TRUE(absl::IsUnavailable(Once().status()));
    EXPECT_TRUE(IsMachineFault(Once().status()));
    EXPECT_TRUE(absl::StrContains(Once().status().message(), "key file"));
  }
  tokens_.error = absl::CancelledError("SIGTERM");
  EXPECT_TRUE(absl::IsCancelled(Once().status()));
}

TEST_F(ApiClientTest, TransientErrorsAreRetried) {
  transport_.Answer("", MakeResponse(503));
  transport_.Fail("", Transient(absl::UnavailableError("reset"), true));
  transport_.Answer("", MakeResponse(200));
  EXPECT_TRUE(Send(Idempotency::kIdempotent).ok());
}

TEST_F(ApiClientTest, MaybeAppliedWriteIsNotRepeated) {
  transport_.Answer("", MakeResponse(503));
  EXPECT_TRUE(MaybeApplied(Send(Idempotency::kNotIdempotent).status()));
  transport_.Answer("", MakeResponse(429));
  transport_.Answer("", MakeResponse(200));
  EXPECT_TRUE(Send(Idempotency::kNotIdempotent).ok());
}

TEST_F(ApiClientTest, RetriesShareInvocationId) {
  transport_.Answer("", MakeResponse(503));
  transport_.Answer("", MakeResponse(200));
  transport_.Answer("", MakeResponse(200));
  EXPECT_TRUE(Send(Idempotency::kIdempotent).ok());
  EXPECT_TRUE(Send(Idempotency::kIdempotent).ok());
  std::set<std::string> ids;
  for (size_t i = 0; i < 3; ++i) {
    const std::string header = Header(i, "x-goog-api-client");
    EXPECT_TRUE(absl::EndsWith(header, i == 1 ? "count/2" : "count/1")) << header;
    ids.insert(header.substr(0, header.rfind(' ')));
  }
  EXPECT_EQ(ids.size(), 2u);
}

TEST(EmulatorUrlTest, SchemeAndSlashAreOptional) {
  EXPECT_EQ(EmulatorUrl("localhost:9000"), "http://localhost:9000");
  EXPECT_EQ(EmulatorUrl("http://localhost:9000/"), "http://localhost:9000");
  EXPECT_EQ(EmulatorUrl("https://h//"), "https://h");
  EXPECT_EQ(EmulatorUrl(" localhost:9000/\r\n"), "http://localhost:9000");
}

TEST(EndpointTest, EmulatorNeedsNoCredentials) {
  CountingTokens tokens;
  const auto endpoint = [&](const std::string& value) {
    return EndpointOf("https://x", EnvironmentOf({{"A_HOST", value}}), "A_HOST", tokens);
  };
  EXPECT_EQ(endpoint("").tokens, &tokens);
  EXPECT_EQ(endpoint("").base_url, "https://x");
  EXPECT_EQ(endpoint("h:1").tokens, nullptr);
  EXPECT_EQ(endpoint("h:1").base_url, "http://h:1");
}

TEST_F(ApiClientTest, InvalidEmulatorAddressIsMachineFault) {
  for (const char* value : {"a b:1", "h:1#x", " ", "ftp://h", "h\xC3\xA9:1"}) {
    ApiClient client(EndpointOf("https://x", EnvironmentOf({{"A_HOST", value}}), "A_HOST", tokens_),
                     transport_, clock_);
    const absl::Status error = client.SendOnce([] { return HttpRequest{}; }, cancel_).status();
    EXPECT_TRUE(IsMachineFault(error)) << value;
    EXPECT_EQ(error.message(), "A_HOST: is not the address of a server; set it to HOST:PORT");
  }
}

}  // namespace
}  // namespace sparkles
