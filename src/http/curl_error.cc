#include "http/curl_error.h"

#include <unistd.h>

#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "base/text.h"
#include "http/transient.h"

namespace sparkles {
namespace {

// TLS settings and certificates, which no repetition mends.
bool IsRefusedCertificate(CURLcode code) {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
      return true;
    default:
      return false;
  }
}

bool IsUnknownName(CURLcode code) {
  return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY;
}

// It names the servers to ask; a libc that finds none would ask this machine itself, in vain.
constexpr char kResolverFile[] = "/etc/resolv.conf";

std::string TimeoutText(const HttpRequest& request, bool sent) {
  if (!sent) {
    const absl::Duration patience = std::min(request.connect_timeout, request.timeout);
    return absl::StrCat("no connection within ", absl::FormatDuration(patience));
  }
  return absl::StrCat("no whole response within ", absl::FormatDuration(request.timeout));
}

std::string Reason(const CurlFailure& failure) {
  // Once a request is on its way only the answer's protocol can be unsupported.
  if (failure.code == CURLE_UNSUPPORTED_PROTOCOL && failure.sent) return "the answer is not HTTP";
  if (failure.connect_code >= 500) {
    return absl::StrCat("the proxy answers with HTTP ", failure.connect_code);
  }
  std::string reason = curl_easy_strerror(failure.code);
  if (failure.code == CURLE_SSL_CONNECT_ERROR && !failure.tls_detail.empty()) {
    absl::StrAppend(&reason, ": ", CutText(PrintableText(failure.tls_detail), 300));
  }
  if (failure.os_error != 0) {
    const std::error_code error(static_cast<int>(failure.os_error), std::generic_category());
    absl::StrAppend(&reason, ": ", error.message());
  }
  return reason;
}

// The part that failed: the host, or the proxy on the way to it.
std::string Subject(absl::string_view host, const CurlFailure& failure) {
  if (failure.proxy.empty()) return std::string(host);
  const bool unreachable =
      failure.code == CURLE_COULDNT_CONNECT || failure.code == CURLE_COULDNT_RESOLVE_PROXY;
  return absl::StrCat(host,
                      unreachable && failure.connect_code == 0 ? ": cannot reach the proxy "
                                                               : ", through the proxy ",
                      failure.proxy);
}

}  // namespace

absl::Status MakeCurlError(const HttpRequest& request, absl::string_view host,
                           absl::string_view ca_origin, const CurlFailure& failure) {
  const std::string subject = Subject(host, failure);
  if (failure.code == CURLE_URL_MALFORMAT) {
    return MachineFault(
        absl::InvalidArgumentError(absl::StrCat(host, ": libcurl cannot use the URL")));
  }
  if (IsRefusedCertificate(failure.code)) {
    return MachineFault(absl::FailedPreconditionError(absl::StrCat(
        subject, ": ", CutText(PrintableText(failure.tls_detail), 300), " (CA roots: ", ca_origin,
        "; if this server, or a proxy before it, has roots of its own, name them in "
        "SSL_CERT_FILE)")));
  }
  if (IsUnknownName(failure.code) && access(kResolverFile, F_OK) != 0) {
    return MachineFault(absl::FailedPreconditionError(
        absl::StrCat(subject, ": the name cannot be resolved: there is no ", kResolverFile,
                     ", which names the servers to ask, and /etc/hosts does not have it")));
  }
  // Of what libcurl gets from outside, only proxies reach it unchecked.
  if (failure.code == CURLE_BAD_FUNCTION_ARGUMENT) {
    return MachineFault(absl::FailedPreconditionError(absl::StrCat(
        host, ": libcurl cannot use the proxy (see HTTPS_PROXY, HTTP_PROXY and ALL_PROXY)")));
  }
  if (failure.connect_code >= 400 && failure.connect_code < 500) {
    return MachineFault(absl::FailedPreconditionError(
        absl::StrCat(subject, ": the proxy refuses with HTTP ", failure.connect_code)));
  }
  if (failure.code == CURLE_OPERATION_TIMEDOUT) {
    return Transient(absl::DeadlineExceededError(
                         absl::StrCat(subject, ": ", TimeoutText(request, failure.sent))),
                     failure.maybe_applied);
  }
  return Transient(absl::UnavailableError(absl::StrCat(subject, ": ", Reason(failure))),
                   failure.maybe_applied);
}

}  // namespace sparkles
