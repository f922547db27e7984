// Carries a request to stop, with its reason, from any thread to every wait.
#pragma once

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "base/fd.h"
#include "base/mutex.h"

namespace sparkles {

// The reason to stop. It decides how the claim ends.
enum class CancelKind {
  kNone,       // not cancelled
  kHandBack,   // the worker must stop (signal, preemption): the task goes back to the queue
  kKilled,     // the task's job was killed: record `killed`
  kClaimLost,  // another worker owns the task now: record nothing
  kAbort,      // another transfer of the task failed: the caller knows the reason
};

// Thread-safe. A token can be cancelled once, and the first reason stays. A token with a parent is
// cancelled with the parent, with the same kind and reason. The parent must outlive it.
class CancelToken {
 public:
  explicit CancelToken(const CancelToken* parent = nullptr);
  ~CancelToken();
  CancelToken(const CancelToken&) = delete;
  CancelToken& operator=(const CancelToken&) = delete;

  void Cancel(CancelKind kind, absl::string_view reason);
  // Says that the cancelled work must end at once. Does nothing if the token is not cancelled.
  void Hurry();
  bool cancelled() const { return kind() != CancelKind::kNone; }
  CancelKind kind() const;
  std::string reason() const;
  bool hurried() const;

  // Readable for poll(2) after cancellation. Owned by the token; do not read from it. -1 if the
  // kernel refused a descriptor; then waits must check cancelled().
  int fd() const { return event_.get(); }

 private:
  const CancelToken* const parent_;
  const UniqueFd event_;
  mutable Mutex mutex_;
  CancelKind kind_ ABSL_GUARDED_BY(mutex_) = CancelKind::kNone;
  std::string reason_ ABSL_GUARDED_BY(mutex_);
  bool hurried_ ABSL_GUARDED_BY(mutex_) = false;
  mutable std::vector<CancelToken*> children_ ABSL_GUARDED_BY(mutex_);
};

// Blocks until `awaited` is cancelled (true) or `given_up` is (false).
bool AwaitCancel(const CancelToken& awaited, const CancelToken& given_up);

}  // namespace sparkles
