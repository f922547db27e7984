#include "doctor/network_checks.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "doctor/tcp_connect.h"
#include "gcp/google_url.h"
#include "gcp/http_date.h"
#include "http/curl_proxy.h"
#include "http/ip_address.h"
#include "process/monotonic.h"

namespace sparkles {
namespace {

constexpr absl::Duration kLookupLimit = absl::Seconds(2);
// For the connection to one address. Distant servers take 0.3 s.
constexpr absl::Duration kConnectLimit = absl::Milliseconds(1200);
constexpr absl::Duration kRequestLimit = absl::Seconds(4);
constexpr int kHttpsPort = 443;
// The header has whole seconds, and some servers send the time of the last second.
constexpr absl::Duration kDateResolution = absl::Seconds(2);
// A service account's requests for tokens are dated 10 s back, so more than this can be refused.
constexpr absl::Duration kSmallSkew = absl::Seconds(10);
// Google refuses requests for tokens, and a new certificate seems to be not valid yet.
constexpr absl::Duration kLargeSkew = absl::Minutes(5);
// The servers for which a proxy is checked.
constexpr std::array<const char*, 3> kGoogleHosts = {
    "storage.googleapis.com", "datastore.googleapis.com", "oauth2.googleapis.com"};
constexpr char kNameRemedy[] =
    "name working servers in /etc/resolv.conf, or set HTTPS_PROXY to a proxy";

bool IsIpv6(const std::string& ip) { return absl::StrContains(ip, ':'); }

std::string Milliseconds(absl::Duration time) {
  return absl::StrFormat("%.0f ms", absl::ToDoubleMilliseconds(time));
}

HttpRequest MakeGet(const std::string& url, const CancelToken& cancel) {
  HttpRequest request;
  request.url = url + "/";
  request.connect_timeout = kRequestLimit;
  request.timeout = kRequestLimit;
  request.cancel = &cancel;
  return request;
}

// The remedy for a request without an answer.
std::string ConnectionRemedy(const absl::Status& error, const Endpoint& endpoint) {
  const std::string host = UrlAuthority(endpoint.url);
  if (endpoint.emulator) return "start the emulator, or correct the variable that names it";
  if (absl::StrContains(error.message(), "SSL_CERT_FILE") ||
      absl::StrContains(error.message(), "CA certificates")) {
    return "set SSL_CERT_FILE to a PEM file with the CA certificates that the server or the proxy "
           "uses, and check the clock";
  }
  if (endpoint.proxied) {
    return absl::StrCat("set HTTPS_PROXY to a proxy that allows ", host,
                        ", or name the host in NO_PROXY");
  }
  return absl::StrCat("allow connections to ", host,
                      " port 443 in the firewall; a VM without an external IP needs Private Google "
                      "Access");
}

// Tries one address of each family. False if there is no connection at all.
bool CheckAddresses(const std::string& host, const std::vector<std::string>& ips,
                    const CancelToken& cancel, Findings& findings) {
  std::vector<std::string> good;
  std::vector<std::string> bad;
  for (const bool ipv6 : {false, true}) {
    const char* const family = ipv6 ? "IPv6" : "IPv4";
    const auto ip = std::find_if(ips.begin(), ips.end(),
                                 [ipv6](const std::string& each) { return IsIpv6(each) == ipv6; });
    if (ip == ips.end()) continue;
    if (!HasRouteTo(*ip)) {
      bad.push_back(absl::StrCat("no route by ", family));
      continue;
    }
    const auto time = TimeConnect(*ip, kHttpsPort, kConnectLimit, cancel);
    (time.ok() ? good : bad)
        .push_back(time.ok() ? absl::StrCat(family, " connects in ", Milliseconds(*time))
                             : absl::StrCat(family, ": ", time.status().message()));
  }
  std::vector<std::string> all = good;
  all.insert(all.end(), bad.begin(), bad.end());
  const std::string thing = absl::StrCat("address of ", host);
  const std::string text = absl::StrJoin(all, "; ");
  // A family without a route is normal and costs no time.
  const bool slow = std::any_of(bad.begin(), bad.end(), [](const std::string& each) {
    return !absl::StartsWith(each, "no route");
  });
  if (good.empty()) {
    findings.Fail(host, text, ConnectionRemedy(absl::OkStatus(), {.url = "https://" + host}));
  } else if (slow) {
    findings.Warn(
        thing, text,
        "repair the routes of this machine: a connection may first try the other address");
  } else {
    findings.Ok(thing, text);
  }
  return !good.empty();
}

}  // namespace

void CheckCaRoots(const CaRoots& roots, Findings& findings) {
  constexpr char kThing[] = "CA certificates";
  const absl::Status status = LoadCaRoots(roots).status();
  if (status.ok()) return findings.Ok(kThing, absl::StrCat("from ", roots.origin));
  findings.Fail(kThing, status.message(),
                "set SSL_CERT_FILE to a PEM file with CA certificates, or unset it: then the "
                "system's or the built-in ones are used");
}

void CheckProxy(const Environment& environment, const HostLookup& look_up,
                const CancelToken& cancel, Findings& findings) {
  constexpr char kThing[] = "proxy";
  if (!HasProxy("https", environment)) return findings.Ok(kThing, "none is set");
  if (std::none_of(kGoogleHosts.begin(), kGoogleHosts.end(),
                   [&](const char* host) { return UsesProxy("https", environment, host); })) {
    return findings.Ok(kThing, "not used for Google, because of NO_PROXY");
  }
  const std::optional<ProxyAddress> proxy = FindProxy("https", environment);
  if (!proxy) {
    return findings.Fail(kThing, "HTTPS_PROXY or ALL_PROXY is not a URL",
                         "set it to http://HOST:PORT");
  }
  const std::string name = DescribeProxy(*proxy);
  std::vector<std::string> ips = {proxy->host};
  if (!IsIpAddress(proxy->host)) ips = look_up(proxy->host, kLookupLimit, &cancel).ips;
  if (ips.empty() && proxy->host == "localhost") ips = {"127.0.0.1"};
  if (ips.empty()) {
    return findings.Fail(kThing, absl::StrCat(name, ": the name cannot be resolved"),
                         absl::StrCat("correct ", proxy->variable,
                                      ", or the servers in "
                                      "/etc/resolv.conf"));
  }
  const auto time = TimeConnect(ips.front(), proxy->port, kConnectLimit, cancel);
  if (time.ok()) return findings.Ok(kThing, absl::StrCat(name, " accepts connections"));
  findings.Fail(kThing, absl::StrCat(name, ": ", time.status().message()),
                absl::StrCat("start the proxy, or correct ", proxy->variable));
}

void CheckEndpoint(const Endpoint& endpoint, HttpTransport& transport, const HostLookup& look_up,
                   const CancelToken& cancel, Findings& findings) {
  const std::string host = UrlAuthority(endpoint.url);
  if (!endpoint.emulator && !endpoint.proxied) {
    const std::vector<std::string> ips = look_up(host, kLookupLimit, &cancel).ips;
    if (ips.empty()) return findings.Fail(host, "the name cannot be resolved", kNameRemedy);
    if (!CheckAddresses(host, ips, cancel, findings)) return;
  }
  const absl::Duration start = MonotonicNow();
  const absl::StatusOr<HttpResponse> response = transport.Send(MakeGet(endpoint.url, cancel));
  if (!response.ok()) {
    absl::string_view reason = response.status().message();
    absl::ConsumePrefix(&reason, host + ": ");
    return findings.Fail(host, reason, ConnectionRemedy(response.status(), endpoint));
  }
  findings.Ok(host, absl::StrCat("answers in ", Milliseconds(MonotonicNow() - start),
                                 endpoint.emulator  ? " (emulator)"
                                 : endpoint.proxied ? " through the proxy"
                                                    : ""));
}

void CheckClock(const std::string& url, HttpTransport& transport, Clock& clock,
                const CancelToken& cancel, Findings& findings) {
  constexpr char kThing[] = "clock";
  const std::string host = UrlAuthority(url);
  const absl::Time before = clock.Now();
  const absl::StatusOr<HttpResponse> response = transport.Send(MakeGet(url, cancel));
  if (!response.ok()) return findings.Skip(kThing, absl::StrCat(host, " does not answer"));
  const std::optional<absl::Time> server = ServerTime(*response);
  if (!server) {
    return findings.Skip(kThing, absl::StrCat("the answer of ", host, " has no valid header Date"));
  }
  // The server's time was taken between the request and the answer.
  const absl::Time here = before + (clock.Now() - before) / 2;
  const absl::Duration skew = here - (*server + absl::Milliseconds(500));
  const std::string text =
      absl::StrFormat("%.0f s %s the time of %s", absl::ToDoubleSeconds(absl::AbsDuration(skew)),
                      skew < absl::ZeroDuration() ? "behind" : "ahead of", host);
  constexpr char kRemedy[] =
      "set the clock: start chrony or systemd-timesyncd (timedatectl set-ntp true)";
  if (absl::AbsDuration(skew) >= kLargeSkew) {
    return findings.Fail(kThing, absl::StrCat(text, "; Google refuses requests for tokens"),
                         kRemedy);
  }
  if (absl::AbsDuration(skew) >= kSmallSkew) return findings.Warn(kThing, text, kRemedy);
  const bool agrees = absl::AbsDuration(skew) < kDateResolution;
  findings.Ok(kThing, agrees ? absl::StrCat("agrees with the time of ", host) : text);
}

}  // namespace sparkles
