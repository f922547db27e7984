// Reads values about this VM from the metadata server of Google Compute Engine.
// On a VM the server can start half a minute late, and requests wait for it. On other machines the
// absence of a server must be found within a second.
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
  std::string host;       // "169.254.169.254", perhaps with ":port"; empty: do not ask
  bool expected = false;  // true on a VM of Google: the server must exist
};

// The address of the metadata server:
// - GCE_METADATA_HOST, or the older GCE_METADATA_ROOT, which say that the server must exist;
// - GCE_METADATA_IP, or the well-known address (the IPv6 one on a machine without IPv4). The server
//   must exist if `product_name_file` names Google.
// - none if NO_GCE_CHECK=true.
MetadataAddress FindMetadataAddress(
    const Environment& environment,
    const std::string& product_name_file = "/sys/class/dmi/id/product_name");

struct MetadataValue {
  std::string text;  // without white space around it
  std::string etag;  // identifies this value in WaitForChange
};

struct VmIdentity {
  std::string owner;         // "projects/123/zones/us-east1-b/vm-name"
  std::string address;       // the external IP, or the internal IP if there is no external one
  std::string machine_type;  // "n2-standard-4"; empty if the server has no value
};

// Thread-safe. Never uses a proxy.
// Errors:
// - NotFound: the server does not have the value.
// - Unavailable, transient: this is a VM of Google, and the server did not answer for
//   `max_elapsed`, or another server answered instead.
// - FailedPrecondition: this is not a VM of Google. The check takes at most a second, and its
//   result is kept.
class MetadataServer {
 public:
  // Covers the first seconds of a VM or a pod, in which connections may be refused.
  static constexpr absl::Duration kMaxElapsed = absl::Seconds(30);

  // Borrows transport and clock. `max_elapsed` limits the retries if the server must exist.
  MetadataServer(MetadataAddress address, HttpTransport& transport, Clock& clock,
                 absl::Duration max_elapsed = kMaxElapsed)
      : address_(std::move(address)),
        transport_(transport),
        clock_(clock),
        max_elapsed_(max_elapsed) {}

  const std::string& host() const { return address_.host; }

  // `path`: "instance/name". Retries.
  absl::StatusOr<std::string> Get(absl::string_view path, const CancelToken& cancel);

  // The same in one attempt.
  absl::StatusOr<MetadataValue> Peek(absl::string_view path, const CancelToken& cancel);

  // Returns the value as soon as it differs from the value of `etag`, or the unchanged value after
  // `timeout`. One attempt: after an error, wait a moment and call again.
  absl::StatusOr<MetadataValue> WaitForChange(absl::string_view path, absl::string_view etag,
                                              absl::Duration timeout, const CancelToken& cancel);

  // The errors above, and FailedPrecondition if zone and name do not form an owner.
  absl::StatusOr<VmIdentity> Identity(const CancelToken& cancel);

 private:
  enum class Presence { kUnknown, kPresent, kAbsent };

  // Gets computeMetadata/v1/`path_and_query`.
  absl::StatusOr<MetadataValue> Fetch(absl::string_view path_and_query, absl::Duration timeout,
                                      const CancelToken& cancel);
  absl::StatusOr<MetadataValue> FetchWithRetries(absl::string_view path, const CancelToken& cancel);
  absl::StatusOr<MetadataValue> FetchOrProbe(absl::string_view path, const CancelToken& cancel);
  absl::StatusOr<std::optional<std::string>> Find(absl::string_view path,
                                                  const CancelToken& cancel);
  Presence presence();
  void SetPresence(Presence presence);

  const MetadataAddress address_;
  HttpTransport& transport_;
  Clock& clock_;
  const absl::Duration max_elapsed_;
  Mutex mutex_;
  Presence presence_ ABSL_GUARDED_BY(mutex_) = Presence::kUnknown;
};

}  // namespace sparkles
