// Which tasks' logs can be read from afar: those of running tasks, and of ended ones for a while.
// The one hard idea: each log is held open, so that it stays readable when its folder is gone; but
// a file that was removed takes its disk as long as it is open, which is bounded here.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mutex.h"

namespace sparkles {

// One task's log, open for reading. Thread-safe; read it with pread.
class ReadableLog {
 public:
  explicit ReadableLog(UniqueFd fd) : fd_(std::move(fd)) {}
  int fd() const { return fd_.get(); }
  // Nothing will be added any more.
  bool ended() const { return ended_; }
  // Somebody reads it and has not been told yet that he has all.
  void NoteReader(absl::Time now) const { reader_ms_ = absl::ToUnixMillis(now); }
  // He has been told now. With several readers the last one counts.
  void ForgetReader() const { reader_ms_ = 0; }

 private:
  friend class OutputTable;
  const UniqueFd fd_;
  std::atomic<bool> ended_ = false;
  mutable std::atomic<int64_t> reader_ms_ = 0;  // Unix time of the last such call
};

// How long the logs of ended tasks are kept: whichever comes first.
struct OutputLimits {
  absl::Duration age = absl::Minutes(10);
  size_t tasks = 16;
  // Of disk that only we still hold, together; a log that is longer goes with its folder.
  int64_t bytes = int64_t{256} << 20;
};

// Thread-safe; no lock is held while a log is opened or read. Each call below looks which logs it
// is time to let go; what they hold is counted anew, since a folder may go later than its task.
class OutputTable {
 public:
  // Borrows `clock`.
  explicit OutputTable(Clock& clock, OutputLimits limits = {}) : clock_(clock), limits_(limits) {}

  // From now on the regular file `path` is the log of that task, instead of an earlier one.
  absl::Status Add(const std::string& task_id, const std::string& path);
  // The task has ended. Nothing happens if it is unknown.
  void End(const std::string& task_id);
  void DropOld();
  // When somebody last read the log of an ended task without coming to its end.
  absl::Time LastReader();
  // Null if no log of that task can be read (any more).
  std::shared_ptr<const ReadableLog> Find(const std::string& task_id);

 private:
  struct Ended {
    std::string task_id;
    absl::Time since;
    std::shared_ptr<ReadableLog> log;
  };

  void Forget(const std::string& task_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropOld(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Clock& clock_;
  const OutputLimits limits_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<ReadableLog>> running_ ABSL_GUARDED_BY(mutex_);
  std::deque<Ended> ended_ ABSL_GUARDED_BY(mutex_);  // oldest first
};

}  // namespace sparkles
