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

// True for errors of certificates and TLS settings, which a retry does not fix.
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

// The file that lists the name servers. Without it, libc would ask a name server on this machine.
constexpr char kResolvConf[] = "/etc/resolv.conf";

std::string TimeoutText(const HttpRequest& request, bool sent) {
  if (!sent) {
    const absl::Duration limit = std::min(request.connect_timeout, request.timeout);
    return absl::StrCat("no connection within ", absl::FormatDuration(limit));
  }
  return absl::StrCat("no complete response within ", absl::FormatDuration(request.timeout));
}

std::string Reason(const CurlFailure& failure) {
  // After the request was sent, this code can only mean the protocol of the answer.
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

// The failed part, for the message: the host, or the proxy in front of it.
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
        subject, ": ", CutText(PrintableText(failure.tls_detail), 300),
        " (CA certificates: ", ca_origin,
        "; if this server or a proxy uses other roots, set SSL_CERT_FILE to a PEM file of them)")));
  }
  if (IsUnknownName(failure.code) && access(kResolvConf, F_OK) != 0) {
    return MachineFault(absl::FailedPreconditionError(
        absl::StrCat(subject, ": the name cannot be resolved: there is no ", kResolvConf,
                     " with name servers, and /etc/hosts does not list the name")));
  }
  // All other arguments of libcurl were checked before.
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
