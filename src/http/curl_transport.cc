#include "http/curl_transport.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "http/curl_proxy.h"
#include "http/ip_address.h"

namespace sparkles {
namespace {

// More than the number of simultaneous transfers of storage and queue, but few descriptors.
constexpr size_t kMaxIdleConnections = 64;
// Three attempts with one name server (host_lookup.cc) take 4.9 s.
constexpr absl::Duration kMaxLookupTime = absl::Seconds(5);

std::string EnvironmentOfProcess(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): libcurl does the same
  return value == nullptr ? "" : value;
}

}  // namespace

CurlTransport::CurlTransport(CaRoots ca_roots, HostLookup look_up)
    : ca_roots_(std::move(ca_roots)),
      trusted_{[this] { return Roots(); }, ca_roots_.origin},
      pool_(kMaxIdleConnections),
      hosts_(std::move(look_up)) {
  // Thread-safe, and later calls do nothing. If it fails, MakeCurlSlot fails, too.
  (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

absl::StatusOr<HttpResponse> CurlTransport::Send(const HttpRequest& request) {
  const absl::StatusOr<HttpTarget> parsed = ParseTarget(request.url);
  if (!parsed.ok()) return MachineFault(parsed.status());
  const HttpTarget& target = *parsed;
  const absl::Status valid = CheckRequest(request);
  if (!valid.ok()) return MachineFault(Annotate(valid, target.host));
  if (request.cancel != nullptr && request.cancel->cancelled()) {
    return absl::CancelledError(absl::StrCat(target.host, ": ", request.cancel->reason()));
  }
  ASSIGN_OR_RETURN(CurlSlot slot, pool_.Take(target.origin));
  CurlRoute route;
  route.proxy = slot.proxy;
  CurlExchange exchange(request, target, trusted_, route);
  absl::StatusOr<HttpResponse> response = exchange.Run(slot.multi.get(), slot.easy.get());
  if (exchange.needed_name() != NeededName::kNone) {
    const CurlRoute found = FindRoute(request, target, exchange.needed_name());
    ASSIGN_OR_RETURN(slot, MakeCurlSlot(target.origin));
    slot.proxy = found.proxy;
    response =
        CurlExchange(request, target, trusted_, found).Run(slot.multi.get(), slot.easy.get());
  }
  // After a failure the connection may be in an unknown state. Also, after a name could not be
  // resolved, libcurl 7.88 refuses some options for the rest of the handle's life.
  if (response.ok()) pool_.Return(std::move(slot));
  return response;
}

CurlRoute CurlTransport::FindRoute(const HttpRequest& request, const HttpTarget& target,
                                   NeededName needed) {
  CurlRoute route;
  route.resolve = true;
  std::string name = target.name;
  int port = target.port;
  if (needed == NeededName::kProxy) {
    const std::optional<ProxyAddress> proxy = FindProxy(target.scheme, EnvironmentOfProcess);
    if (!proxy) return route;
    name = proxy->host;
    port = proxy->port;
    route.proxy = DescribeProxy(*proxy);
  }
  if (IsIpAddress(name)) return route;
  const auto started = std::chrono::steady_clock::now();
  // The other half of the time is left for the connection.
  const absl::Duration timeout =
      std::min({request.connect_timeout / 2, request.timeout / 2, kMaxLookupTime});
  const std::vector<std::string> ips = hosts_.Find(name, timeout, request.cancel);
  route.spent = absl::FromChrono(std::chrono::steady_clock::now() - started);
  if (ips.empty()) return route;
  const std::string entry = absl::StrCat("+", name, ":", port, ":", absl::StrJoin(ips, ","));
  route.addresses = CurlList(curl_slist_append(nullptr, entry.c_str()));
  return route;
}

absl::StatusOr<X509_STORE*> CurlTransport::Roots() {
  MutexLock lock(mutex_);
  if (store_ == nullptr) {
    ASSIGN_OR_RETURN(store_, LoadCaRoots(ca_roots_));
  }
  return store_.get();
}

std::string HttpLibraryVersions() { return absl::StrCat(curl_version(), " ", HostLookupVersion()); }

}  // namespace sparkles
