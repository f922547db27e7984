// Tests the libcurl transport with the proxies that environment variables name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "http/curl_transport.h"
#include "http/transient.h"
#include "tests/support/loopback_server.h"
#include "tests/support/refusing_port.h"

namespace sparkles {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class CurlTransportProxy : public testing::Test {
 protected:
  ~CurlTransportProxy() override {
    for (const char* name : {"http_proxy", "https_proxy", "no_proxy"}) (void)unsetenv(name);
  }
  static void UseProxy(const char* name, const LoopbackServer& proxy) {
    UseProxyAt(name, proxy.host());
  }
  static void UseProxyAt(const char* name, const std::string& host) {
    (void)setenv(name, absl::StrCat("http://user:secret@", host).c_str(), 1);
  }
  static HttpRequest Get(std::string url) {
    HttpRequest request;
    request.url = std::move(url);
    return request;
  }

  CurlTransport transport_{CaRoots{}};
};

TEST_F(CurlTransportProxy, EnvironmentProxyIsUsed) {
  LoopbackServer proxy(AlwaysAnswer("from the proxy"));
  UseProxy("http_proxy", proxy);
  const auto response = transport_.Send(Get("http://nowhere.invalid/a/../b?c"));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, "from the proxy");
  EXPECT_THAT(proxy.requests().at(0), StartsWith("GET http://nowhere.invalid/a/../b?c HTTP/1.1"));
}

TEST_F(CurlTransportProxy, BypassAndNoProxyAreRespected) {
  LoopbackServer proxy(AlwaysAnswer("from the proxy"));
  LoopbackServer server(AlwaysAnswer("from the server"));
  UseProxy("http_proxy", proxy);
  HttpRequest request = Get(server.url());
  request.bypass_proxy = true;
  EXPECT_EQ(transport_.Send(request)->body, "from the server");
  request.bypass_proxy = false;
  EXPECT_EQ(transport_.Send(request)->body, "from the proxy");
  (void)setenv("no_proxy", "127.0.0.1", 1);
  EXPECT_EQ(transport_.Send(request)->body, "from the server");
}

TEST_F(CurlTransportProxy, ProxyRefusalIsFinalWithoutSecrets) {
  LoopbackServer proxy([](LoopbackConnection& connection) {
    (void)connection.ReadRequest();
    connection.Answer(407);
  });
  UseProxy("https_proxy", proxy);
  const absl::Status status = transport_.Send(Get("https://nowhere.invalid/secret")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("HTTP 407"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret")));
}

TEST_F(CurlTransportProxy, UnreachableProxyIsTransient) {
  const RefusingPort port;
  UseProxyAt("http_proxy", port.host());
  HttpRequest request = Get("http://nowhere.invalid/");
  request.method = "POST";
  const absl::Status status = transport_.Send(request).status();
  EXPECT_TRUE(IsTransient(status)) << status;
  EXPECT_FALSE(MaybeApplied(status)) << status;
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret")));
}

TEST_F(CurlTransportProxy, UnreachableProxyIsNamed) {
  const RefusingPort port;
  UseProxyAt("https_proxy", port.host());
  const absl::Status refused = transport_.Send(Get("https://nowhere.invalid/")).status();
  EXPECT_THAT(std::string(refused.message()),
              StartsWith("nowhere.invalid: cannot reach the proxy " + port.host() +
                         " (see https_proxy): "));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("Connection refused"));

  UseProxyAt("https_proxy", std::string(64, 'a') + ".example:3128");
  const absl::Status unknown = transport_.Send(Get("https://nowhere.invalid/")).status();
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("cannot reach the proxy aaaa"));
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("resolve"));

  LoopbackServer silent([](LoopbackConnection& connection) { connection.WaitForEnd(); });
  UseProxy("https_proxy", silent);
  HttpRequest request = Get("https://nowhere.invalid/");
  request.connect_timeout = absl::Milliseconds(100);
  const absl::Status late = transport_.Send(request).status();
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded) << late;
  EXPECT_THAT(std::string(late.message()),
              StartsWith("nowhere.invalid, through the proxy " + silent.host()));
}

TEST_F(CurlTransportProxy, ProxyServerErrorIsQuoted) {
  LoopbackServer proxy([](LoopbackConnection& connection) {
    (void)connection.ReadRequest();
    connection.Answer(503);
  });
  UseProxy("https_proxy", proxy);
  const absl::Status status = transport_.Send(Get("https://nowhere.invalid/")).status();
  EXPECT_TRUE(IsTransient(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("the proxy answers with HTTP 503"));
}

TEST_F(CurlTransportProxy, ProxyNameIsLookedUp) {
  LoopbackServer proxy(AlwaysAnswer("from the proxy"));
  UseProxyAt("http_proxy", absl::StrReplaceAll(proxy.host(), {{"127.0.0.1", "proxy.test"}}));
  CurlTransport transport(CaRoots{}, [](const std::string& host, absl::Duration,
                                        const CancelToken*) {
    return host == "proxy.test" ? HostAddresses{{"127.0.0.1"}, absl::Minutes(1)} : HostAddresses{};
  });
  EXPECT_EQ(transport.Send(Get("http://nowhere.invalid/"))->body, "from the proxy");
}

}  // namespace
}  // namespace sparkles
