#include "monitor/reply_budget.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sparkles {

ReplyBudget::Handle ReplyBudget::Take(size_t wanted, absl::Time now,
                                      std::function<void()> give_up) {
  wanted = std::min(wanted, kMaxReply);
  MutexLock lock(mutex_);
  const size_t left = kTotal - std::min(kTotal, taken_);
  if (left < wanted) {
    for (const Reply& reply : replies_) {
      if (now - reply.since < kPatience) break;
      reply.give_up();
    }
  }
  const size_t bytes = std::min(wanted, std::max(left, kLeast));
  taken_ += bytes;
  replies_.push_back({bytes, now, std::move(give_up)});
  return std::prev(replies_.end());
}

void ReplyBudget::Shrink(Handle reply, size_t bytes) {
  MutexLock lock(mutex_);
  if (bytes >= reply->bytes) return;
  taken_ -= reply->bytes - bytes;
  reply->bytes = bytes;
}

void ReplyBudget::Return(Handle reply) {
  MutexLock lock(mutex_);
  taken_ -= reply->bytes;
  replies_.erase(reply);
}

}  // namespace sparkles
