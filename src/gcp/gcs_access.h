// What this worker knows of its access to buckets: what they have granted, how long a refusal is
// waited out, where it has written lately, and which of them want a payer named.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "gcp/gcs_object.h"

namespace sparkles {

enum class GcsRight { kRead, kWrite };

// A role that was granted a moment ago takes minutes to reach all of Google's servers. So a 403
// from a bucket that has not granted this kind of request yet is tried again for a while, and any
// other 403 is final. Thread-safe.
class GcsAccess {
 public:
  // The project that pays for buckets where the requester has to.
  using FindPayer = std::function<absl::StatusOr<std::string>(const CancelToken& cancel)>;

  // Borrows `clock`, and `log`, which may be null. `patience` is the time from the first refusal,
  // for each task, bucket and right. `find_payer` may be empty, and is asked by any thread.
  GcsAccess(absl::Duration patience, Clock& clock, const Log* log, FindPayer find_payer = nullptr)
      : patience_(patience), clock_(clock), log_(log), find_payer_(std::move(find_payer)) {}

  // The next task has the whole patience again.
  void BeginTask();

  // `bucket` has carried out a request of this kind.
  void Granted(const std::string& bucket, GcsRight right);

  // How long to wait before a request that `bucket` has refused is sent again; nullopt: the refusal
  // is final. The first wait for a bucket and right is logged as a warning.
  std::optional<absl::Duration> WaitFor(const std::string& bucket, GcsRight right,
                                        const absl::Status& refusal);

  // The project that requests to `bucket` name as payer; empty: none.
  std::string PayerOf(const std::string& bucket);
  // `bucket` wants a payer named. Whether there is one, which PayerOf tells from now on.
  bool TakePayer(const std::string& bucket, const CancelToken& cancel);

  // Whether NoteWritten was called in the last ten minutes for an object of the same bucket and the
  // same folder of folders: "job" for "job/1/stdout.txt".
  bool WrittenLately(const GcsName& name);
  void NoteWritten(const GcsName& name);

 private:
  using Key = std::pair<std::string, GcsRight>;
  struct State {
    std::optional<absl::Time> granted_at = std::nullopt;  // for the first time
    std::optional<absl::Time> refused_at = std::nullopt;  // for the first time in this task
  };

  const absl::Duration patience_;
  Clock& clock_;
  const Log* const log_;
  const FindPayer find_payer_;
  Mutex mutex_;
  std::map<Key, State> states_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> payers_ ABSL_GUARDED_BY(mutex_);  // by bucket
  std::map<std::string, absl::Time> written_ ABSL_GUARDED_BY(mutex_);  // by PlaceOf
};

// "write to gs://bucket".
std::string DescribeRight(const std::string& bucket, GcsRight right);

// `refusal` (PermissionDenied), with the command that grants the right, and marked by
// LacksPermission (base/permission.h).
absl::Status ExplainRefusal(const absl::Status& refusal, const std::string& bucket, GcsRight right);

}  // namespace sparkles
