#include "http/curl_transport.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sparkles {
namespace {

// More than the transfers that run at once (storage and queue together), and few descriptors.
constexpr size_t kMaxIdleConnections = 64;

}  // namespace

CurlTransport::CurlTransport(CaRoots ca_roots)
    : ca_roots_(std::move(ca_roots)),
      trusted_{[this] { return Roots(); }, ca_roots_.origin},
      pool_(kMaxIdleConnections) {
  // Thread-safe, and done once however often it is called. If it fails so does making a handle.
  (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

absl::StatusOr<HttpResponse> CurlTransport::Send(const HttpRequest& request) {
  const absl::StatusOr<HttpTarget> parsed = ParseTarget(request.url);
  if (!parsed.ok()) return MachineFault(parsed.status());
  const HttpTarget& target = *parsed;
  const absl::Status good = CheckRequest(request);
  if (!good.ok()) return MachineFault(Annotate(good, target.host));
  if (request.cancel != nullptr && request.cancel->cancelled()) {
    return absl::CancelledError(absl::StrCat(target.host, ": ", request.cancel->reason()));
  }
  ASSIGN_OR_RETURN(CurlSlot slot, pool_.Take(target.origin));
  absl::StatusOr<HttpResponse> response =
      CurlExchange(request, target, trusted_).Run(slot.multi.get(), slot.easy.get());
  // Of a failure it can keep a connection in an unknown state, and more: after a name that could
  // not be resolved libcurl 7.88 refuses some options for as long as the handle lives.
  if (response.ok()) pool_.Return(std::move(slot));
  return response;
}

absl::StatusOr<X509_STORE*> CurlTransport::Roots() {
  MutexLock lock(mutex_);
  if (store_ == nullptr) {
    ASSIGN_OR_RETURN(store_, LoadCaRoots(ca_roots_));
  }
  return store_.get();
}

std::string HttpLibraryVersions() { return curl_version(); }

}  // namespace sparkles
