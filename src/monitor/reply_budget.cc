#include "monitor/reply_budget.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sparkles {

ReplyBudget::Handle ReplyBudget::Reserve(size_t wanted, absl::Time now,
                                         std::function<void()> cancel) {
  wanted = std::min(wanted, kMaxReply);
  MutexLock lock(mutex_);
  const size_t left = kTotal - std::min(kTotal, reserved_);
  if (left < wanted) {
    for (const Reply& reply : replies_) {
      if (now - reply.since < kMaxReplyTime) break;
      reply.cancel();
    }
  }
  const size_t bytes = std::min(wanted, std::max(left, kMinReply));
  reserved_ += bytes;
  replies_.push_back({bytes, now, std::move(cancel)});
  return std::prev(replies_.end());
}

void ReplyBudget::Shrink(Handle reply, size_t bytes) {
  MutexLock lock(mutex_);
  if (bytes >= reply->bytes) return;
  reserved_ -= reply->bytes - bytes;
  reply->bytes = bytes;
}

void ReplyBudget::Release(Handle reply) {
  MutexLock lock(mutex_);
  reserved_ -= reply->bytes;
  replies_.erase(reply);
}

}  // namespace sparkles
