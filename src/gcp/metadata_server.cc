#include "gcp/metadata_server.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "gcp/api_error.h"
#include "http/ip_address.h"
#include "http/retry.h"
#include "http/transient.h"
#include "http/url.h"

namespace sparkles {
namespace {

constexpr char kWellKnownHost[] = "169.254.169.254";
// The address on a VM without IPv4.
constexpr char kWellKnownIpv6Host[] = "fd20:ce::254";
constexpr absl::string_view kFlavorHeader = "Metadata-Flavor";
constexpr absl::string_view kFlavor = "Google";
constexpr absl::Duration kConnectTimeout = absl::Seconds(2);
// A busy node can take seconds to make a token.
constexpr absl::Duration kTimeout = absl::Seconds(10);
constexpr absl::Duration kProbeTimeout = absl::Seconds(1);
// A long poll may answer this much later than its timeout.
constexpr absl::Duration kPollMargin = absl::Seconds(10);
// The server limits a value to 256 KiB.
constexpr size_t kMaxBytes = size_t{512} << 10;

absl::Status NotOnGoogle(absl::string_view host) {
  return absl::FailedPreconditionError(
      host.empty() ? "the metadata server is switched off (NO_GCE_CHECK)"
                   : absl::StrCat("no metadata server answers at ", host,
                                  ": this is not a VM of Google Compute Engine"));
}

// `host` as it appears in a URL: an IPv6 address gets brackets.
std::string UrlHost(absl::string_view host) {
  const bool bare = !absl::StartsWith(host, "[") && IsIpAddress(std::string(host)) &&
                    absl::StrContains(host, ':');
  return bare ? absl::StrCat("[", host, "]") : std::string(host);
}

std::string WellKnownHost() {
  const bool only_ipv6 = !HasRouteTo(kWellKnownHost) && HasRouteTo(kWellKnownIpv6Host);
  return only_ipv6 ? kWellKnownIpv6Host : kWellKnownHost;
}

bool HasFlavor(const HttpResponse& response) {
  const std::string* flavor = response.headers.Find(kFlavorHeader);
  return flavor != nullptr && *flavor == kFlavor;
}

}  // namespace

MetadataAddress FindMetadataAddress(const Environment& environment,
                                    const std::string& product_name_file) {
  for (const char* variable : {"GCE_METADATA_HOST", "GCE_METADATA_ROOT"}) {
    const std::string value = environment(variable);
    absl::string_view host = value;
    absl::ConsumePrefix(&host, "http://");
    absl::ConsumeSuffix(&host, "/");
    if (!host.empty()) return {UrlHost(host), true};
  }
  if (absl::AsciiStrToLower(environment("NO_GCE_CHECK")) == "true") return {};
  const std::string ip = environment("GCE_METADATA_IP");
  MetadataAddress address{UrlHost(ip.empty() ? WellKnownHost() : ip), false};
  // "Google" or "Google Compute Engine".
  const absl::StatusOr<std::string> product = ReadFile(product_name_file, 4096);
  address.expected = product.ok() && absl::StartsWith(*product, "Google");
  return address;
}

MetadataServer::Presence MetadataServer::presence() {
  MutexLock lock(mutex_);
  return presence_;
}

void MetadataServer::SetPresence(Presence presence) {
  MutexLock lock(mutex_);
  presence_ = presence;
}

absl::StatusOr<MetadataValue> MetadataServer::Fetch(absl::string_view path_and_query,
                                                    absl::Duration timeout,
                                                    const CancelToken& cancel) {
  HttpRequest request;
  request.url = absl::StrCat("http://", address_.host, "/computeMetadata/v1/", path_and_query);
  request.headers.Add(kFlavorHeader, kFlavor);
  request.connect_timeout = std::min(kConnectTimeout, timeout);
  request.timeout = timeout;
  request.stall_timeout = timeout;
  request.max_body_bytes = kMaxBytes;
  request.bypass_proxy = true;
  request.cancel = &cancel;
  ASSIGN_OR_RETURN(const HttpResponse response, transport_.Send(request));
  const std::string what = absl::StrCat("metadata server ", address_.host);
  absl::Status error = response.status == 200 ? absl::OkStatus() : MakeApiError(response, what);
  if (HasFlavor(response)) SetPresence(Presence::kPresent);
  const bool overloaded = response.status == 429 || response.status >= 500;
  if (IsTransient(error) && (HasFlavor(response) || overloaded)) return error;
  // Some networks answer every request themselves. If the server must exist, this may pass.
  if (!HasFlavor(response)) {
    const std::string other = absl::StrCat(what, ": another server answers at this address");
    if (!address_.expected && presence() != Presence::kPresent) {
      return absl::FailedPreconditionError(other);
    }
    return Transient(absl::UnavailableError(other), /*maybe_applied=*/false);
  }
  RETURN_IF_ERROR(error);
  const std::string* etag = response.headers.Find("ETag");
  return MetadataValue{std::string(absl::StripAsciiWhitespace(response.body)),
                       etag == nullptr ? "" : *etag};
}

absl::StatusOr<MetadataValue> MetadataServer::FetchWithRetries(absl::string_view path,
                                                               const CancelToken& cancel) {
  RetryPolicy policy;
  policy.first = absl::Milliseconds(500);
  policy.longest = absl::Seconds(4);
  policy.patience = max_elapsed_;
  absl::StatusOr<MetadataValue> value;
  RETURN_IF_ERROR(RetryLoop(policy, Idempotency::kIdempotent, clock_, cancel, [&] {
    value = Fetch(path, kTimeout, cancel);
    return Attempt{value.status()};
  }));
  return value;
}

absl::StatusOr<MetadataValue> MetadataServer::FetchOrProbe(absl::string_view path,
                                                           const CancelToken& cancel) {
  if (address_.host.empty() || presence() == Presence::kAbsent) return NotOnGoogle(address_.host);
  if (!address_.expected && presence() == Presence::kUnknown) {
    absl::StatusOr<MetadataValue> value = Fetch(path, kProbeTimeout, cancel);
    if (cancel.cancelled()) return absl::CancelledError(cancel.reason());
    if (presence() != Presence::kPresent) {
      SetPresence(Presence::kAbsent);
      return NotOnGoogle(address_.host);
    }
    if (!IsTransient(value.status())) return value;
  }
  return FetchWithRetries(path, cancel);
}

absl::StatusOr<std::string> MetadataServer::Get(absl::string_view path, const CancelToken& cancel) {
  absl::StatusOr<MetadataValue> value = FetchOrProbe(path, cancel);
  if (!value.ok()) return Annotate(value.status(), path);
  return std::move(value->text);
}

absl::StatusOr<MetadataValue> MetadataServer::Peek(absl::string_view path,
                                                   const CancelToken& cancel) {
  if (address_.host.empty() || presence() == Presence::kAbsent) return NotOnGoogle(address_.host);
  return Fetch(path, kTimeout, cancel);
}

absl::StatusOr<MetadataValue> MetadataServer::WaitForChange(absl::string_view path,
                                                            absl::string_view etag,
                                                            absl::Duration timeout,
                                                            const CancelToken& cancel) {
  if (address_.host.empty() || presence() == Presence::kAbsent) return NotOnGoogle(address_.host);
  const std::string query =
      MakeQuery({{"wait_for_change", "true"},
                 {"last_etag", std::string(etag)},
                 {"timeout_sec", absl::StrCat(absl::ToInt64Seconds(timeout))}});
  return Fetch(absl::StrCat(path, "?", query), timeout + kPollMargin, cancel);
}

absl::StatusOr<std::optional<std::string>> MetadataServer::Find(absl::string_view path,
                                                                const CancelToken& cancel) {
  absl::StatusOr<std::string> text = Get(path, cancel);
  if (absl::IsNotFound(text.status()) || (text.ok() && text->empty())) return std::nullopt;
  RETURN_IF_ERROR(text.status());
  return *std::move(text);
}

absl::StatusOr<VmIdentity> MetadataServer::Identity(const CancelToken& cancel) {
  VmIdentity identity;
  ASSIGN_OR_RETURN(const std::string zone, Get("instance/zone", cancel));
  ASSIGN_OR_RETURN(const std::string name, Get("instance/name", cancel));
  identity.owner = absl::StrCat(zone, "/", name);
  const absl::string_view owner = identity.owner;
  if (absl::StartsWith(owner, "/") || absl::EndsWith(owner, "/") ||
      absl::StrContains(owner, "//") || HasControlCharacter(owner)) {
    return absl::FailedPreconditionError(
        "the metadata server gives no valid zone and name of this VM");
  }
  ASSIGN_OR_RETURN(std::optional<std::string> address,
                   Find("instance/network-interfaces/0/access-configs/0/external-ip", cancel));
  if (!address) {
    ASSIGN_OR_RETURN(address, Find("instance/network-interfaces/0/ip", cancel));
  }
  identity.address = address.value_or("");
  ASSIGN_OR_RETURN(const std::optional<std::string> type, Find("instance/machine-type", cancel));
  if (type) identity.machine_type = type->substr(type->rfind('/') + 1);
  return identity;
}

}  // namespace sparkles
