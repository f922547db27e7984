// A request to stop that any thread can make and any wait can see, with the reason for it.
#pragma once

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "base/fd.h"
#include "base/mutex.h"

namespace sparkles {

// Why work is to stop; it decides what becomes of the claim.
enum class CancelKind {
  kNone,       // not cancelled
  kHandBack,   // the worker must go (signal, preemption): the task goes back to the queue
  kKilled,     // the task's job was killed: record `killed`
  kClaimLost,  // somebody else owns the task now: record nothing
  kAbort,      // a sibling transfer failed: the caller knows the reason already
};

// Thread-safe. Cancelled once and for ever; the first reason wins. A token with a parent is
// cancelled with it (same kind and reason); the parent must outlive it.
class CancelToken {
 public:
  explicit CancelToken(const CancelToken* parent = nullptr);
  ~CancelToken();
  CancelToken(const CancelToken&) = delete;
  CancelToken& operator=(const CancelToken&) = delete;

  void Cancel(CancelKind kind, absl::string_view reason);
  // For a token that is cancelled (otherwise nothing happens): no time is left for what is to stop
  // to end by itself.
  void Hurry();
  bool cancelled() const { return kind() != CancelKind::kNone; }
  CancelKind kind() const;
  std::string reason() const;
  bool hurried() const;

  // Readable for poll(2) from the moment of cancellation on. Owned by the token; never read from.
  // -1 where the kernel refused a descriptor: waits then fall back on looking at cancelled().
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
