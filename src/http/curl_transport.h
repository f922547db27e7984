// The HttpTransport that uses libcurl.
// Only the files curl_* of this directory include libcurl.
#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "http/ca_roots.h"
#include "http/curl_exchange.h"
#include "http/curl_pool.h"
#include "http/host_cache.h"
#include "http/transport.h"

namespace sparkles {

// Uses HTTP/1.1 and keeps connections open between exchanges. Uses the proxies of the environment
// (http_proxy, https_proxy, all_proxy, no_proxy) as curl does. The process must ignore SIGPIPE,
// because OpenSSL writes to connections that the server has closed.
class CurlTransport : public HttpTransport {
 public:
  explicit CurlTransport(CaRoots ca_roots, HostLookup look_up = LookUpHost);
  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;

  absl::StatusOr<HttpResponse> Send(const HttpRequest& request) override;

 private:
  // The roots, valid as long as this object. Loads them at the first TLS connection, and again
  // after a failure.
  absl::StatusOr<X509_STORE*> Roots();
  // A route to the host or the proxy, as `needed` says. If no address is found, libcurl asks the C
  // library, which has other sources, too (NIS, mDNS).
  CurlRoute FindRoute(const HttpRequest& request, const HttpTarget& target, NeededName needed);

  const CaRoots ca_roots_;
  const TrustedRoots trusted_;
  CurlPool pool_;
  HostCache hosts_;
  Mutex mutex_;
  X509Store store_ ABSL_GUARDED_BY(mutex_);
};

// The versions of the libraries, for example
// "libcurl/7.88.1 OpenSSL/3.0.17 zlib/1.2.13 c-ares/1.18.1".
std::string HttpLibraryVersions();

}  // namespace sparkles
