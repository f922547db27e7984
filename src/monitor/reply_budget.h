// Limits the memory of replies that clients have not read yet.
// A client that does not read keeps its reply in the worker's memory. If there are many such
// clients, new replies become smaller, and the oldest replies are cancelled. No call is refused.
#pragma once

#include <cstddef>
#include <functional>
#include <list>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/mutex.h"

namespace sparkles {

// Thread-safe.
class ReplyBudget {
 public:
  static constexpr size_t kMaxReply = 1 << 20;  // see docs/wire-contract.md
  static constexpr size_t kMinReply = 4 << 10;
  // Enough for 160 clients that request the usual size and do not read.
  static constexpr size_t kTotal = 16 << 20;
  // A reply of 1 MiB takes this time at 35 KB/s.
  static constexpr absl::Duration kMaxReplyTime = absl::Seconds(30);

  struct Reply {
    size_t bytes;
    absl::Time since;
    std::function<void()> cancel;
  };
  using Handle = std::list<Reply>::iterator;

  // Reserves up to `wanted` bytes. Reserves at least kMinReply (or `wanted`, if that is less), even
  // if nothing is left. Calls `cancel` if the reply is older than kMaxReplyTime and others need its
  // bytes, perhaps more than once and with a lock held. `cancel` must not call this object.
  Handle Reserve(size_t wanted, absl::Time now, std::function<void()> cancel);
  // The number of reserved bytes.
  static size_t Bytes(Handle reply) { return reply->bytes; }
  // Keeps only `bytes` of the reservation.
  void Shrink(Handle reply, size_t bytes);
  // Ends the reservation.
  void Release(Handle reply);

 private:
  Mutex mutex_;
  std::list<Reply> replies_ ABSL_GUARDED_BY(mutex_);  // oldest first
  size_t reserved_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sparkles
