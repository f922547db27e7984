#include "http/curl_proxy.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "http/curl_handles.h"

namespace sparkles {
namespace {

// libcurl's default ports for an address without a port.
constexpr int kHttpsPort = 443;
constexpr int kDefaultPort = 1080;

// libcurl never reads HTTP_PROXY, because CGI programs get the request's header "Proxy" in it.
std::vector<const char*> VariablesOf(absl::string_view scheme) {
  if (scheme == "https") return {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
  return {"http_proxy", "all_proxy", "ALL_PROXY"};
}

// True if no_proxy exempts `host`, by the rules of libcurl.
bool IsExempt(const std::function<std::string(const char* name)>& environment,
              absl::string_view host) {
  std::string list = environment("no_proxy");
  if (list.empty()) list = environment("NO_PROXY");
  if (list == "*") return true;
  for (absl::string_view name : absl::StrSplit(list, absl::ByAnyChar(", "), absl::SkipEmpty())) {
    absl::ConsumePrefix(&name, ".");
    if (absl::EqualsIgnoreCase(host, name)) return true;
    if (absl::EndsWithIgnoreCase(host, absl::StrCat(".", name))) return true;
  }
  return false;
}

}  // namespace

bool HasProxy(absl::string_view scheme,
              const std::function<std::string(const char* name)>& environment) {
  const std::vector<const char*> variables = VariablesOf(scheme);
  return std::any_of(variables.begin(), variables.end(),
                     [&](const char* name) { return !environment(name).empty(); });
}

bool UsesProxy(absl::string_view scheme,
               const std::function<std::string(const char* name)>& environment,
               absl::string_view host) {
  return HasProxy(scheme, environment) && !IsExempt(environment, host);
}

std::optional<ProxyAddress> FindProxy(
    absl::string_view scheme, const std::function<std::string(const char* name)>& environment) {
  for (const char* variable : VariablesOf(scheme)) {
    const std::string value = environment(variable);
    if (value.empty()) continue;
    const CurlUrl url(curl_url());
    if (url == nullptr ||
        curl_url_set(url.get(), CURLUPART_URL, value.c_str(),
                     CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) != CURLUE_OK) {
      return std::nullopt;
    }
    ProxyAddress proxy;
    proxy.host = HostOf(url);
    proxy.variable = variable;
    if (!absl::SimpleAtoi(PartOf(url, CURLUPART_PORT), &proxy.port)) {
      proxy.port = PartOf(url, CURLUPART_SCHEME) == "https" ? kHttpsPort : kDefaultPort;
    }
    return proxy;
  }
  return std::nullopt;
}

std::string DescribeProxy(const ProxyAddress& proxy) {
  const bool brackets = absl::StrContains(proxy.host, ':');
  return absl::StrCat(brackets ? "[" : "", proxy.host, brackets ? "]" : "", ":", proxy.port,
                      " (see ", proxy.variable, ")");
}

}  // namespace sparkles
