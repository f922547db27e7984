#include "base/cancel.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

namespace sparkles {

CancelToken::CancelToken(CancelToken* parent)
    : parent_(parent), event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (parent_ == nullptr) return;
  CancelKind kind;
  std::string reason;
  {
    MutexLock lock(parent_->mutex_);
    parent_->children_.push_back(this);
    kind = parent_->kind_;
    reason = parent_->reason_;
  }
  if (kind != CancelKind::kNone) Cancel(kind, reason);
}

CancelToken::~CancelToken() {
  if (parent_ == nullptr) return;
  MutexLock lock(parent_->mutex_);
  std::erase(parent_->children_, this);
}

void CancelToken::Cancel(CancelKind kind, absl::string_view reason) {
  MutexLock lock(mutex_);
  if (kind_ != CancelKind::kNone || kind == CancelKind::kNone) return;
  kind_ = kind;
  reason_ = std::string(reason);
  const uint64_t one = 1;
  // Cannot fail: the counter is at zero and the descriptor is ours.
  if (event_.valid()) (void)!write(event_.get(), &one, sizeof one);
  // Parents are locked before children, everywhere: no cycle is possible.
  for (CancelToken* child : children_) child->Cancel(kind, reason_);
}

CancelKind CancelToken::kind() const {
  MutexLock lock(mutex_);
  return kind_;
}

std::string CancelToken::reason() const {
  MutexLock lock(mutex_);
  return reason_;
}

}  // namespace sparkles
