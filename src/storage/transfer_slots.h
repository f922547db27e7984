// The bound on what all transfers of a store do at the same time.
#pragma once

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/activity.h"
#include "base/mutex.h"

namespace sparkles {

// Thread-safe. Each slot is the right to one connection.
class TransferSlots {
 public:
  // Some slots of a TransferSlots, which must outlive it; they are free again when it is destroyed.
  class Lease {
   public:
    Lease(Lease&& other) noexcept : slots_(other.slots_), count_(std::exchange(other.count_, 0)) {}
    Lease& operator=(Lease&& other) noexcept {
      std::swap(slots_, other.slots_);
      std::swap(count_, other.count_);
      return *this;
    }
    ~Lease() { slots_->Free(count_); }

    int count() const { return count_; }

   private:
    friend class TransferSlots;
    Lease(TransferSlots& slots, int count) : slots_(&slots), count_(count) {}

    TransferSlots* slots_;
    int count_;
  };

  explicit TransferSlots(int count) : free_(count) {}

  // Waits for one until `activity` is cancelled.
  absl::StatusOr<Lease> Take(const Activity& activity) ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes up to `wanted` slots that are free now; perhaps none.
  Lease TakeFree(int wanted) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Free(int count) ABSL_LOCKS_EXCLUDED(mutex_);

  Mutex mutex_;
  CondVar freed_;
  int free_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sparkles
