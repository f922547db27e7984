// Remembers the worker's access to buckets: granted rights, refusals, recent writes, and the
// project that pays.
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

// A new role takes minutes to reach all of Google's servers. So a 403 is retried for a while if the
// bucket has not granted this kind of request before; any other 403 is final. Thread-safe.
class GcsAccess {
 public:
  // Finds the project that pays for requester-pays buckets.
  using FindPayer = std::function<absl::StatusOr<std::string>(const CancelToken& cancel)>;

  // Borrows `clock`, and `log`, which may be null. `max_elapsed` is the longest time to retry from
  // the first refusal, for each task, bucket and right. `find_payer` may be empty. It is called on
  // any thread.
  GcsAccess(absl::Duration max_elapsed, Clock& clock, const Log* log,
            FindPayer find_payer = nullptr)
      : max_elapsed_(max_elapsed), clock_(clock), log_(log), find_payer_(std::move(find_payer)) {}

  // Forgets the times of refusals, because they count for one task.
  void BeginTask();

  // Call when `bucket` has carried out a request of this kind.
  void NoteGranted(const std::string& bucket, GcsRight right);

  // The wait before the retry of a request that `bucket` has refused. nullopt if the refusal is
  // final. Logs a warning at the first wait for a bucket and right.
  std::optional<absl::Duration> NextRetryWait(const std::string& bucket, GcsRight right,
                                              const absl::Status& refusal);

  // The project that requests to `bucket` must name as payer; empty if none is needed.
  std::string PayerOf(const std::string& bucket);
  // Call when `bucket` asks for a payer. Finds the project for PayerOf. False if there is none.
  bool FindPayerFor(const std::string& bucket, const CancelToken& cancel);

  // True if NoteWritten was called in the last ten minutes for an object in the same bucket and
  // grandparent directory ("job" for "job/1/stdout.txt").
  bool WasWrittenRecently(const GcsName& name);
  void NoteWritten(const GcsName& name);

 private:
  using Key = std::pair<std::string, GcsRight>;
  struct State {
    std::optional<absl::Time> granted_at = std::nullopt;  // the first time
    std::optional<absl::Time> refused_at = std::nullopt;  // the first time in this task
  };

  const absl::Duration max_elapsed_;
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

// Adds the command that grants the right to `refusal` (PermissionDenied), and the mark of
// MarkMissingPermission (base/permission.h). A refusal for retention stays as it is.
absl::Status ExplainRefusal(const absl::Status& refusal, const std::string& bucket, GcsRight right);

// True for a refusal to replace an existing object, where a new object would be accepted: the
// account may not delete it, or a retention policy or hold keeps it.
bool IsRefusalToReplace(const absl::Status& refusal);

}  // namespace sparkles
