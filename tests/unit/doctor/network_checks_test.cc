#include "doctor/network_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "doctor/tcp_connect.h"
#include "http/transient.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_credentials.h"
#include "tests/support/finding_text.h"
#include "tests/support/loopback_server.h"
#include "tests/support/refusing_port.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kUrl[] = "https://storage.googleapis.com";
constexpr absl::Duration kLimit = absl::Seconds(10);

// The port of "127.0.0.1:port".
int PortOf(const std::string& host) { return std::stoi(host.substr(host.rfind(':') + 1)); }

HostLookup Finds(const std::vector<std::string>& ips) {
  return [ips](const std::string&, absl::Duration, const CancelToken*) {
    return HostAddresses{ips, absl::Seconds(1)};
  };
}

class NetworkChecksTest : public testing::Test {
 protected:
  std::string Proxy(const std::map<std::string, std::string>& variables,
                    const std::vector<std::string>& ips = {}) {
    return FindingText([&](Findings& findings) {
      CheckProxy(EnvironmentOf(variables), Finds(ips), cancel_, findings);
    });
  }

  std::string Server(const Endpoint& endpoint, const std::vector<std::string>& ips = {}) {
    return FindingText([&](Findings& findings) {
      CheckEndpoint(endpoint, transport_, Finds(ips), cancel_, findings);
    });
  }

  std::string Clock(const std::string& date) {
    HttpResponse response = MakeResponse(404);
    if (!date.empty()) response.headers.Add("Date", date);
    transport_.Answer("GET", response);
    return FindingText(
        [&](Findings& findings) { CheckClock(kUrl, transport_, clock_, cancel_, findings); });
  }

  TempDirectory directory_;
  ScriptedTransport transport_;
  FakeClock clock_;
  CancelToken cancel_;
};

TEST_F(NetworkChecksTest, CaFileWithoutCertificateFails) {
  ASSERT_TRUE(WriteFileAtomically(directory_ / "ca.pem", "nothing", false).ok());
  const auto check = [&](const std::map<std::string, std::string>& variables) {
    return FindingText([&](Findings& findings) {
      CheckCaRoots(FindCaRoots(EnvironmentOf(variables), {}), findings);
    });
  };
  EXPECT_EQ(check({}), "OK    CA certificates: from this program\n");
  EXPECT_THAT(check({{"SSL_CERT_FILE", directory_ / "ca.pem"}}),
              AllOf(StartsWith("FAIL  CA certificates: "), HasSubstr("ca.pem"),
                    HasSubstr("Remedy: set SSL_CERT_FILE to a PEM file")));
}

TEST_F(NetworkChecksTest, ProxyIsConnected) {
  LoopbackServer proxy(AlwaysAnswer(""));
  EXPECT_EQ(Proxy({}), "OK    proxy: none is set\n");
  EXPECT_THAT(Proxy({{"HTTPS_PROXY", absl::StrCat("http://user:secret@", proxy.host())}}),
              AllOf(StartsWith("OK"), HasSubstr(proxy.host()), HasSubstr("(see HTTPS_PROXY)"),
                    testing::Not(HasSubstr("secret"))));
}

TEST_F(NetworkChecksTest, UnusableProxyFails) {
  const RefusingPort refusing;
  EXPECT_THAT(Proxy({{"https_proxy", "http://" + refusing.host()}}),
              AllOf(StartsWith("FAIL"), HasSubstr("refused"), HasSubstr("correct https_proxy")));
  EXPECT_THAT(Proxy({{"ALL_PROXY", "http://no.such.proxy:3128"}}),
              AllOf(StartsWith("FAIL"), HasSubstr("the name cannot be resolved")));
  EXPECT_THAT(Proxy({{"HTTPS_PROXY", "http://["}}), HasSubstr("is not a URL"));
}

TEST_F(NetworkChecksTest, ExemptHostUsesNoProxy) {
  const RefusingPort refusing;
  EXPECT_THAT(
      Proxy({{"HTTPS_PROXY", "http://" + refusing.host()}, {"NO_PROXY", ".googleapis.com"}}),
      StartsWith("OK    proxy: not used for Google"));
  EXPECT_THAT(
      Proxy({{"HTTPS_PROXY", "http://" + refusing.host()}, {"NO_PROXY", "storage.googleapis.com"}}),
      StartsWith("FAIL"));
}

TEST_F(NetworkChecksTest, AnyAnswerOfServerIsGood) {
  transport_.Answer(absl::StrCat("GET ", kUrl, "/"), MakeResponse(404));
  EXPECT_THAT(Server({kUrl, /*emulator=*/false, /*proxied=*/true}),
              AllOf(StartsWith("OK    storage.googleapis.com: answers in"),
                    HasSubstr("through the proxy")));
  transport_.Answer("GET http://127.0.0.1:1/", MakeResponse(200));
  EXPECT_THAT(Server({"http://127.0.0.1:1", /*emulator=*/true}), HasSubstr("(emulator)"));
}

TEST_F(NetworkChecksTest, UnknownNameSendsNoRequest) {
  EXPECT_THAT(Server({kUrl}), AllOf(StartsWith("FAIL  storage.googleapis.com: the name cannot be"),
                                    HasSubstr("/etc/resolv.conf")));
}

TEST_F(NetworkChecksTest, UnreachableAddressSendsNoRequest) {
  // Nothing listens on port 443 of this address.
  EXPECT_THAT(Server({kUrl}, {"127.0.0.77"}),
              AllOf(StartsWith("FAIL  storage.googleapis.com: IPv4: "), HasSubstr("refused"),
                    HasSubstr("allow connections to storage.googleapis.com port 443")));
}

TEST_F(NetworkChecksTest, RemedyDependsOnError) {
  transport_.Fail("GET", absl::FailedPreconditionError("x: self-signed (CA certificates: y)"));
  EXPECT_THAT(Server({kUrl, false, true}), HasSubstr("Remedy: set SSL_CERT_FILE"));
  transport_.Fail("GET", absl::UnavailableError("the proxy refuses with HTTP 403"));
  EXPECT_THAT(Server({kUrl, false, true}), HasSubstr("a proxy that allows storage.googleapis.com"));
  transport_.Fail("GET", absl::UnavailableError("connection refused"));
  EXPECT_THAT(Server({"http://127.0.0.1:1", true}), HasSubstr("Remedy: start the emulator"));
}

TEST_F(NetworkChecksTest, ClockIsComparedWithServer) {
  EXPECT_THAT(Clock("Sat, 31 Jan 2026 12:00:00 GMT"),
              StartsWith("OK    clock: agrees with the time of"));
  EXPECT_THAT(Clock("Sat, 31 Jan 2026 11:59:55 GMT"), HasSubstr(" s ahead of the time of"));
  EXPECT_THAT(Clock("Sat, 31 Jan 2026 11:59:30 GMT"),
              AllOf(StartsWith("WARN  clock: 30 s ahead of the time of storage.googleapis.com"),
                    HasSubstr("Remedy: set the clock")));
  EXPECT_THAT(Clock("Sat, 31 Jan 2026 13:00:00 GMT"),
              AllOf(StartsWith("FAIL  clock: 3600 s behind"), HasSubstr("requests for tokens")));
}

TEST_F(NetworkChecksTest, ClockIsNotCheckedWithoutDate) {
  EXPECT_THAT(Clock(""),
              StartsWith("SKIP  clock: not checked: the answer of storage.googleapis.com"));
  transport_.Fail("GET", absl::UnavailableError("refused"));
  EXPECT_THAT(FindingText([&](Findings& findings) {
                CheckClock(kUrl, transport_, clock_, cancel_, findings);
              }),
              HasSubstr("storage.googleapis.com does not answer"));
}

TEST(TimeConnect, OpenPortIsConnected) {
  LoopbackServer server(AlwaysAnswer(""));
  const CancelToken cancel;
  EXPECT_TRUE(TimeConnect("127.0.0.1", PortOf(server.host()), kLimit, cancel).ok());
}

TEST(TimeConnect, ErrorNamesAddress) {
  const RefusingPort refusing;
  CancelToken cancel;
  const auto refused = TimeConnect("127.0.0.1", PortOf(refusing.host()), kLimit, cancel);
  EXPECT_EQ(ErrnoOf(refused.status()), ECONNREFUSED);
  EXPECT_THAT(std::string(refused.status().message()), StartsWith("127.0.0.1 port "));
  EXPECT_TRUE(absl::IsInvalidArgument(TimeConnect("name", 1, kLimit, cancel).status()));
}

}  // namespace
}  // namespace sparkles
