#include "summary/result_reader.h"

#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/parallel.h"
#include "base/status.h"
#include "summary/result_numbers.h"

namespace sparkles {
namespace {

// As many as the connections of GcsStore.
constexpr int kThreads = 32;
constexpr size_t kShortBytes = size_t{1} << 20;
// A million outputs fit into this size.
constexpr size_t kMaxBytes = size_t{512} << 20;
// After that many errors the store, or the permission, is at fault, and not the object.
constexpr size_t kMaxUnreadable = 20;

class Reader {
 public:
  Reader(ObjectStore& store, std::vector<TaskRow>& rows,
         const std::function<void(size_t)>& on_progress)
      : store_(store), rows_(rows), on_progress_(on_progress) {}

  ResultProblems Run() {
    (void)ParallelFor(rows_.size(), kThreads, [this](size_t index) {
      Read(index, kShortBytes);
      return absl::OkStatus();
    });
    for (const size_t index : TakeLong()) Read(index, kMaxBytes);
    MutexLock lock(mutex_);
    return problems_;
  }

 private:
  void Read(size_t index, size_t max_bytes) {
    TaskRow& row = rows_[index];
    if (!row.result_url.empty() && !Skip()) {
      const auto bytes = store_.ReadBytes(row.result_url, max_bytes, {});
      if (absl::IsFailedPrecondition(bytes.status()) && max_bytes == kShortBytes) {
        MutexLock lock(mutex_);
        long_.push_back(index);
        return;
      }
      if (!bytes.ok()) {
        AddUnreadable(bytes.status());
      } else if (bytes->has_value()) {
        Take(**bytes, row);
      }
    }
    OnDone();
  }

  void Take(absl::string_view bytes, TaskRow& row) {
    auto use = ParseResultNumbers(bytes);
    if (use.ok()) {
      row.use = *std::move(use);
    } else {
      AddMalformed(Annotate(use.status(), row.result_url));
    }
  }

  void AddUnreadable(absl::Status error) {
    MutexLock lock(mutex_);
    ++problems_.unreadable;
    problems_.first_unreadable.Update(std::move(error));
  }

  void AddMalformed(absl::Status error) {
    MutexLock lock(mutex_);
    ++problems_.malformed;
    problems_.first_malformed.Update(std::move(error));
  }

  bool Skip() {
    MutexLock lock(mutex_);
    if (problems_.unreadable < kMaxUnreadable) return false;
    ++problems_.skipped;
    return true;
  }

  void OnDone() {
    if (!on_progress_) return;
    size_t done;
    {
      MutexLock lock(mutex_);
      done = ++done_;
    }
    on_progress_(done);
  }

  std::vector<size_t> TakeLong() {
    MutexLock lock(mutex_);
    return std::exchange(long_, {});
  }

  ObjectStore& store_;
  std::vector<TaskRow>& rows_;  // each thread changes rows of its own
  const std::function<void(size_t)>& on_progress_;
  Mutex mutex_;
  ResultProblems problems_ ABSL_GUARDED_BY(mutex_);
  std::vector<size_t> long_ ABSL_GUARDED_BY(mutex_);  // the rows of long results
  size_t done_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

ResultProblems ReadResults(ObjectStore& store, std::vector<TaskRow>& rows,
                           const std::function<void(size_t done)>& on_progress) {
  return Reader(store, rows, on_progress).Run();
}

}  // namespace sparkles
