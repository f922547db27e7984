#include "http/curl_proxy.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "http/curl_handles.h"

namespace sparkles {
namespace {

// libcurl's default if the address names no port.
constexpr int kHttpsPort = 443;
constexpr int kDefaultPort = 1080;

// libcurl never reads HTTP_PROXY: in a CGI program it is a header of the request.
std::vector<const char*> VariablesOf(absl::string_view scheme) {
  if (scheme == "https") return {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
  return {"http_proxy", "all_proxy", "ALL_PROXY"};
}

}  // namespace

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
