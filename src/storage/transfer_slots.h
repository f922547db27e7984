// Limits the number of connections that the transfers of a store use at the same time.
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
  // Owns some slots of a TransferSlots, which must outlive the lease. The destructor frees them.
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

  // Waits for a free slot. Cancelled with `activity`.
  absl::StatusOr<Lease> Take(const Activity& activity) ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes up to `wanted` slots that are free now. The lease may be empty.
  Lease TakeFree(int wanted) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Free(int count) ABSL_LOCKS_EXCLUDED(mutex_);

  Mutex mutex_;
  CondVar freed_;
  int free_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sparkles
