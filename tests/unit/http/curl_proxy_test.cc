#include "http/curl_proxy.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

namespace sparkles {
namespace {

std::string Describe(const std::string& scheme, std::map<std::string, std::string> variables) {
  const auto proxy = FindProxy(scheme, [&](const char* name) { return variables[name]; });
  return proxy ? DescribeProxy(*proxy) : "none";
}

TEST(FindProxyTest, VariablesHaveFixedPrecedence) {
  EXPECT_EQ(Describe("https", {}), "none");
  EXPECT_EQ(Describe("https", {{"http_proxy", "a:1"}, {"HTTP_PROXY", "b:2"}}), "none");
  EXPECT_EQ(Describe("http", {{"HTTP_PROXY", "b:2"}}), "none");  // like libcurl
  EXPECT_EQ(Describe("http", {{"http_proxy", "a:1"}}), "a:1 (see http_proxy)");
  EXPECT_EQ(Describe("https", {{"ALL_PROXY", "c:3"}}), "c:3 (see ALL_PROXY)");
  EXPECT_EQ(Describe("https", {{"ALL_PROXY", "c:3"}, {"HTTPS_PROXY", "d:4"}}),
            "d:4 (see HTTPS_PROXY)");
  EXPECT_EQ(Describe("https", {{"HTTPS_PROXY", "d:4"}, {"https_proxy", "e:5"}}),
            "e:5 (see https_proxy)");
}

TEST(FindProxyTest, AddressIsParsedLikeLibcurl) {
  const auto describe = [](const std::string& value) {
    return Describe("https", {{"HTTPS_PROXY", value}});
  };
  EXPECT_EQ(describe("proxy.example"), "proxy.example:1080 (see HTTPS_PROXY)");
  EXPECT_EQ(describe("http://proxy.example/"), "proxy.example:1080 (see HTTPS_PROXY)");
  EXPECT_EQ(describe("https://proxy.example"), "proxy.example:443 (see HTTPS_PROXY)");
  EXPECT_EQ(describe("socks5h://10.0.0.1"), "10.0.0.1:1080 (see HTTPS_PROXY)");
  EXPECT_EQ(describe("http://[fd00::1]:3128"), "[fd00::1]:3128 (see HTTPS_PROXY)");
  EXPECT_EQ(describe("http://user:secret@proxy.example:80"), "proxy.example:80 (see HTTPS_PROXY)");
  EXPECT_EQ(describe("http://"), "none");
}

TEST(UsesProxyTest, NoProxyExemptsHosts) {
  const auto uses = [](std::map<std::string, std::string> variables) {
    return UsesProxy(
        "https", [&](const char* name) { return variables[name]; }, "storage.googleapis.com");
  };
  EXPECT_FALSE(uses({}));
  for (const char* const variable : {"NO_PROXY", "no_proxy"}) {
    for (const char* const exempt :
         {"*", "googleapis.com", "a.b, .GoogleAPIs.com", "x storage.googleapis.com"}) {
      EXPECT_FALSE(uses({{"HTTPS_PROXY", "d:4"}, {variable, exempt}})) << exempt;
    }
    for (const char* const exempt :
         {"", "apis.com", "localhost,10.0.0.0/8", "x.storage.googleapis.com"}) {
      EXPECT_TRUE(uses({{"HTTPS_PROXY", "d:4"}, {variable, exempt}})) << exempt;
    }
  }
}

}  // namespace
}  // namespace sparkles
