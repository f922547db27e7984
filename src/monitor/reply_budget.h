// Bounds the memory of replies that are on their way.
// The one hard idea: a client that does not read keeps its reply in our memory. When there are many
// of that kind, replies become small, and those that wait longest are given up; nobody is refused.
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
  static constexpr size_t kMaxReply = 1 << 20;  // what docs/wire-contract.md section 5 allows
  static constexpr size_t kLeast = 4 << 10;
  // Gives 160 clients that do not read what the usual client asks for.
  static constexpr size_t kTotal = 16 << 20;
  // A reply of 1 MiB takes that long at 35 KB/s.
  static constexpr absl::Duration kPatience = absl::Seconds(30);

  struct Reply {
    size_t bytes;
    absl::Time since;
    std::function<void()> give_up;
  };
  using Handle = std::list<Reply>::iterator;

  // Takes up to `wanted` bytes, at least kLeast (or `wanted`, if that is less), even if nothing is
  // left. `give_up` is called, with a lock held and perhaps more than once, when the reply has had
  // kPatience and others need its bytes; it must not call back.
  Handle Take(size_t wanted, absl::Time now, std::function<void()> give_up);
  // How many bytes were given.
  static size_t Bytes(Handle reply) { return reply->bytes; }
  // The reply has `bytes` (no more than it was given); the others are free.
  void Shrink(Handle reply, size_t bytes);
  // The reply is gone.
  void Return(Handle reply);

 private:
  Mutex mutex_;
  std::list<Reply> replies_ ABSL_GUARDED_BY(mutex_);  // oldest first
  size_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sparkles
