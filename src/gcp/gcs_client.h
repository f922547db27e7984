// Sends requests of the Cloud Storage JSON API, and has the retry loop of all transfers.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/activity.h"
#include "base/clock.h"
#include "gcp/api_client.h"
#include "gcp/gcs_access.h"
#include "gcp/gcs_object.h"
#include "http/retry.h"
#include "http/transport.h"

namespace sparkles {

// Thread-safe.
class GcsClient {
 public:
  // Borrows all but the policy. If `access` is null, each 403 is final.
  GcsClient(ApiClient& api, Clock& clock, const RetryPolicy& policy = {},
            GcsAccess* access = nullptr)
      : api_(api), clock_(clock), policy_(policy), access_(access) {}

  // ".../storage/v1/b/BUCKET/o/OBJECT", without a query.
  std::string ObjectUrl(const GcsName& name) const;
  // ".../upload/storage/v1/b/BUCKET/o?uploadType=TYPE&name=OBJECT&ifGenerationMatch=N". The upload
  // succeeds if the object has the generation `expected`, or for 0 if there is no object.
  std::string UploadUrl(const GcsName& name, const char* type, int64_t expected) const;
  bool encrypted() const;                         // true with TLS
  bool IsApiServer(absl::string_view url) const;  // true for a URL of the API's server
  absl::Time Now() const { return clock_.Now(); }

  // Like ApiClient::SendOnce. Cancelled with `activity`. A 404 is NotFound unless its body is HTML,
  // because Cloud Storage answers an upload to a missing bucket in plain text.
  absl::StatusOr<HttpResponse> Send(const std::function<HttpRequest()>& make_request,
                                    const Activity& activity,
                                    std::initializer_list<int> also_good = {});
  // Like Send, for a request with a small body. The timeout is at most one minute.
  absl::StatusOr<HttpResponse> SendSmall(const HttpRequest& request, const Activity& activity,
                                         std::initializer_list<int> also_good = {});

  // The newest version of the object; nullopt if the object or the bucket does not exist.
  absl::StatusOr<std::optional<GcsObject>> GetMetadata(const GcsName& name,
                                                       const Activity& activity);
  // See GcsAccess::WasWrittenRecently. False if `access` is null.
  bool WasWrittenRecently(const GcsName& name) const {
    return access_ != nullptr && access_->WasWrittenRecently(name);
  }
  void NoteWritten(const GcsName& name) {
    if (access_ != nullptr) access_->NoteWritten(name);
  }
  // Those of `permissions`, such as "storage.objects.get", that the account has on the bucket. A
  // grant for a part of the bucket is not seen.
  absl::StatusOr<std::vector<std::string>> TestPermissions(
      const std::string& bucket, const std::vector<std::string>& permissions,
      const Activity& activity);
  // Removes the object if it has this generation.
  absl::Status Delete(const GcsName& name, int64_t generation, const Activity& activity);

  // The same, with retries. OK also if there is no object, or one of another generation. A refusal
  // is final at once.
  absl::Status Remove(const GcsName& name, int64_t generation, const Activity& activity);

  // Asks, with retries, for one page of the list of objects whose names are `prefix` and a name
  // without a slash. `read` parses its body, and is called again if its error is transient. Returns
  // what `read` does. A refusal is final at once.
  using ReadPage = absl::FunctionRef<absl::StatusOr<std::string>(absl::string_view body)>;
  absl::StatusOr<std::string> GetPage(const std::string& bucket, const std::string& prefix,
                                      int size, const std::string& token, const Activity& activity,
                                      ReadPage read);

  // The retry loop of all transfers. `attempt` must be repeatable. Retries a refusal for lack of
  // `right` while GcsAccess allows it.
  absl::Status Retry(const GcsName& name, GcsRight right, const Activity& activity,
                     absl::FunctionRef<Attempt()> attempt);
  // Calls `transfer` until it ends without such a refusal. A final refusal is explained and marked
  // by MarkMissingPermission (base/permission.h).
  absl::Status AwaitGrant(const GcsName& name, GcsRight right, const Activity& activity,
                          absl::FunctionRef<absl::Status()> transfer);

 private:
  ApiClient& api_;
  Clock& clock_;
  const RetryPolicy policy_;
  GcsAccess* const access_;
};

// Marks `status` as an error that the retry loop retries.
absl::Status MarkRetryable(absl::Status status);

// An attempt counts as progress if it has transferred this number of bytes.
inline constexpr uint64_t kGcsProgressBytes = uint64_t{64} << 10;

}  // namespace sparkles
