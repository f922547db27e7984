#include "base/cancel.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

namespace sparkles {

CancelToken::CancelToken(const CancelToken* parent)
    : parent_(parent), event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (parent_ == nullptr) return;
  // Under the lock, so that the new child misses no Hurry.
  MutexLock lock(parent_->mutex_);
  parent_->children_.push_back(this);
  Cancel(parent_->kind_, parent_->reason_);
  if (parent_->hurried_) Hurry();
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
  // Cannot fail: the counter is zero, and this object owns the descriptor.
  if (event_.valid()) (void)!write(event_.get(), &one, sizeof one);
  // Parents are always locked before children, so there is no deadlock.
  for (CancelToken* child : children_) child->Cancel(kind, reason_);
}

void CancelToken::Hurry() {
  MutexLock lock(mutex_);
  if (kind_ == CancelKind::kNone) return;
  hurried_ = true;
  for (CancelToken* child : children_) child->Hurry();
}

CancelKind CancelToken::kind() const {
  MutexLock lock(mutex_);
  return kind_;
}

std::string CancelToken::reason() const {
  MutexLock lock(mutex_);
  return reason_;
}

bool CancelToken::hurried() const {
  MutexLock lock(mutex_);
  return hurried_;
}

bool AwaitCancel(const CancelToken& awaited, const CancelToken& given_up) {
  constexpr int kLookAgainMilliseconds = 100;
  while (!awaited.cancelled()) {
    if (given_up.cancelled()) return false;
    pollfd waited[] = {{awaited.fd(), POLLIN, 0}, {given_up.fd(), POLLIN, 0}};
    // poll ignores fd -1. Without descriptors the loop has to check the tokens itself.
    const bool blind = awaited.fd() < 0 || given_up.fd() < 0;
    (void)poll(waited, 2, blind ? kLookAgainMilliseconds : -1);
  }
  return true;
}

}  // namespace sparkles
