// Requests of the Cloud Storage JSON API, each sent once; and the loop in which transfers repeat
// them.
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
  // Borrows all but the policy. Without `access` (null) each 403 is final.
  GcsClient(ApiClient& api, Clock& clock, const RetryPolicy& policy = {},
            GcsAccess* access = nullptr)
      : api_(api), clock_(clock), policy_(policy), access_(access) {}

  // ".../storage/v1/b/BUCKET/o/OBJECT", to which a query may be added.
  std::string ObjectUrl(const GcsName& name) const;
  // ".../upload/storage/v1/b/BUCKET/o?uploadType=TYPE&name=OBJECT&ifGenerationMatch=N", for the
  // object to be written if its generation is `expected`; 0: if there is none.
  std::string UploadUrl(const GcsName& name, const char* type, int64_t expected) const;
  bool encrypted() const;                    // by TLS
  bool Serves(absl::string_view url) const;  // whether the API's own server does
  absl::Time Now() const { return clock_.Now(); }

  // As ApiClient::SendOnce, until `activity` is cancelled. NotFound unless it is a page for people:
  // for a bucket that is not there Cloud Storage answers uploads in plain text.
  absl::StatusOr<HttpResponse> Send(const std::function<HttpRequest()>& make_request,
                                    const Activity& activity,
                                    std::initializer_list<int> also_good = {});
  // As Send, for a request with a small body. Its timeout is one minute, or its own if shorter.
  absl::StatusOr<HttpResponse> SendShort(const HttpRequest& request, const Activity& activity,
                                         std::initializer_list<int> also_good = {});

  // The object's newest version; nullopt if there is none (or no such bucket).
  absl::StatusOr<std::optional<GcsObject>> GetMetadata(const GcsName& name,
                                                       const Activity& activity);
  // See GcsAccess::WrittenLately. False without `access`.
  bool WrittenLately(const GcsName& name) const {
    return access_ != nullptr && access_->WrittenLately(name);
  }
  void NoteWritten(const GcsName& name) {
    if (access_ != nullptr) access_->NoteWritten(name);
  }
  // Those of `permissions`, such as "storage.objects.get", that the account has on the bucket. A
  // grant for a part of the bucket is not seen.
  absl::StatusOr<std::vector<std::string>> TestPermissions(
      const std::string& bucket, const std::vector<std::string>& permissions,
      const Activity& activity);
  // Removes the object if its generation is still that one.
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

  // The retry loop of all transfers, which can be repeated. Retries a refusal for lack of `right`
  // as GcsAccess says.
  absl::Status Retry(const GcsName& name, GcsRight right, const Activity& activity,
                     absl::FunctionRef<Attempt()> attempt);
  // Calls `transfer` until it ends without such a refusal. A final refusal is explained, and marked
  // by MarkMissingPermission (base/permission.h).
  absl::Status AwaitGrant(const GcsName& name, GcsRight right, const Activity& activity,
                          absl::FunctionRef<absl::Status()> transfer);

 private:
  ApiClient& api_;
  Clock& clock_;
  const RetryPolicy policy_;
  GcsAccess* const access_;
};

// Trouble that another attempt may cure; patience bounds it.
absl::Status TryAgain(absl::Status status);

// So much must have moved for an attempt to count as progress: less is no better than nothing.
inline constexpr uint64_t kGcsProgressBytes = uint64_t{64} << 10;

}  // namespace sparkles
