// What a VM of Google Compute Engine can learn about itself from its metadata server.
// The one hard idea: on a VM the server may be late by half a minute, and is waited for; anywhere
// else nobody answers, and that must be found out at once.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "gcp/environment.h"
#include "http/transport.h"

namespace sparkles {

struct MetadataAddress {
  std::string host;       // "169.254.169.254", perhaps with ":port"; empty: do not ask anybody
  bool expected = false;  // this looks like a VM of Google: the server must be there
};

// By GCE_METADATA_HOST (or the older GCE_METADATA_ROOT), which says that there is a server;
// otherwise GCE_METADATA_IP or the well-known address (its IPv6 one if there is no IPv4), where one
// is expected if the machine's vendor, as `product_name_file` tells it, is Google.
// NO_GCE_CHECK=true: none.
MetadataAddress FindMetadataAddress(
    const Environment& environment,
    const std::string& product_name_file = "/sys/class/dmi/id/product_name");

struct MetadataValue {
  std::string text;  // without the white space around it
  std::string etag;  // names this value in WaitForChange
};

struct VmIdentity {
  std::string owner;         // "projects/123/zones/us-east1-b/vm-name"
  std::string address;       // the external IP, or the internal one where there is none
  std::string machine_type;  // "n2-standard-4"; empty if the server does not say
};

// Thread-safe. Never goes through a proxy.
//
// Errors:
//   NotFound            the server has no such value
//   Unavailable         transient: on a VM of Google the server has not answered for `patience`, or
//                       another server has answered in its place
//   FailedPrecondition  this is no VM of Google; found out once, within a second, and remembered
class MetadataServer {
 public:
  // A VM or a pod may refuse connections in its first seconds.
  static constexpr absl::Duration kPatience = absl::Seconds(30);

  // Borrows transport and clock. `patience` is the wait for a server that must be there.
  MetadataServer(MetadataAddress address, HttpTransport& transport, Clock& clock,
                 absl::Duration patience = kPatience)
      : address_(std::move(address)), transport_(transport), clock_(clock), patience_(patience) {}

  const std::string& host() const { return address_.host; }

  // `path`: "instance/name".
  absl::StatusOr<std::string> Get(absl::string_view path, const CancelToken& cancel);

  // One attempt without patience.
  absl::StatusOr<MetadataValue> Peek(absl::string_view path, const CancelToken& cancel);

  // The value as soon as it is another than the one that `etag` names, or after `timeout` the one
  // that it still has. One attempt: who watches waits a little after an error and asks again.
  absl::StatusOr<MetadataValue> WaitForChange(absl::string_view path, absl::string_view etag,
                                              absl::Duration timeout, const CancelToken& cancel);

  // Besides the errors above: FailedPrecondition if zone and name make no path.
  absl::StatusOr<VmIdentity> Identity(const CancelToken& cancel);

 private:
  enum class Presence { kUnknown, kThere, kAbsent };

  // GET computeMetadata/v1/`path_and_query`.
  absl::StatusOr<MetadataValue> Fetch(absl::string_view path_and_query, absl::Duration timeout,
                                      const CancelToken& cancel);
  absl::StatusOr<MetadataValue> FetchPatiently(absl::string_view path, const CancelToken& cancel);
  absl::StatusOr<MetadataValue> FetchOrProbe(absl::string_view path, const CancelToken& cancel);
  absl::StatusOr<std::optional<std::string>> Find(absl::string_view path,
                                                  const CancelToken& cancel);
  Presence presence();
  void SetPresence(Presence presence);

  const MetadataAddress address_;
  HttpTransport& transport_;
  Clock& clock_;
  const absl::Duration patience_;
  Mutex mutex_;
  Presence presence_ ABSL_GUARDED_BY(mutex_) = Presence::kUnknown;
};

}  // namespace sparkles
