#include "base/parallel.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "base/thread.h"

namespace sparkles {
namespace {

class Batch {
 public:
  Batch(size_t count, absl::FunctionRef<absl::Status(size_t)> work) : count_(count), work_(work) {}

  void Run() {
    size_t index;
    while (Take(index)) {
      absl::Status status = work_(index);
      if (!status.ok()) Fail(std::move(status));
    }
  }

  absl::Status status() {
    MutexLock lock(mutex_);
    return status_;
  }

 private:
  bool Take(size_t& index) {
    MutexLock lock(mutex_);
    if (!status_.ok() || next_ == count_) return false;
    index = next_++;
    return true;
  }

  void Fail(absl::Status status) {
    MutexLock lock(mutex_);
    status_.Update(std::move(status));
  }

  const size_t count_;
  const absl::FunctionRef<absl::Status(size_t)> work_;
  Mutex mutex_;
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::Status ParallelFor(size_t count, int threads,
                         absl::FunctionRef<absl::Status(size_t index)> work) {
  Batch batch(count, work);
  std::vector<std::thread> helpers;
  const size_t wanted = std::min(count, static_cast<size_t>(std::max(threads, 1)));
  for (size_t i = 1; i < wanted; ++i) {
    auto helper = StartThread("transfer", [&batch] { batch.Run(); });
    if (!helper.ok()) break;  // continue with the threads that exist
    helpers.push_back(*std::move(helper));
  }
  batch.Run();
  for (std::thread& helper : helpers) helper.join();
  return batch.status();
}

}  // namespace sparkles
