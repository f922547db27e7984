// Keeps the logs of running and recently ended tasks open for the Monitor.
// An open log stays readable after its task directory was removed, but it still takes disk space.
// Therefore the number, age and size of the logs of ended tasks are limited.
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

// One task's log, open for reading with pread. Thread-safe.
class ReadableLog {
 public:
  explicit ReadableLog(UniqueFd fd) : fd_(std::move(fd)) {}
  int fd() const { return fd_.get(); }
  // True if the task has ended, so that the log does not grow.
  bool ended() const { return ended_; }
  // Call this when a client has read a piece, but not the end of an ended log.
  void RecordUnfinishedRead(absl::Time now) const { unfinished_read_ms_ = absl::ToUnixMillis(now); }
  // Call this when a client has read the end of an ended log. If there are several clients, the
  // last call counts.
  void ClearUnfinishedRead() const { unfinished_read_ms_ = 0; }

 private:
  friend class OutputTable;
  const UniqueFd fd_;
  std::atomic<bool> ended_ = false;
  mutable std::atomic<int64_t> unfinished_read_ms_ = 0;  // Unix time, or 0
};

// Limits on the logs of ended tasks. A log is dropped when the first limit is reached.
struct OutputLimits {
  absl::Duration age = absl::Minutes(10);
  size_t tasks = 16;
  // Sum of the disk space of removed logs. A longer log is dropped when it has lost its name.
  int64_t bytes = int64_t{256} << 20;
};

// Thread-safe. Holds no lock while a log is opened or read. Each call drops the logs that exceed a
// limit. It measures the disk space each time, because a task directory may be removed long after
// its task has ended.
class OutputTable {
 public:
  // Borrows `clock`.
  explicit OutputTable(Clock& clock, OutputLimits limits = {}) : clock_(clock), limits_(limits) {}

  // Opens the regular file `path` as the log of the task. Replaces an earlier log of that task.
  absl::Status Add(const std::string& task_id, const std::string& path);
  // Marks the task as ended. Does nothing if the task is unknown.
  void End(const std::string& task_id);
  // Drops the logs that exceed a limit.
  void DropOld();
  // The time of the last unfinished read of an ended task's log. The Unix epoch if there is none.
  absl::Time LastUnfinishedRead();
  // The task's log, or null if it was never added or was dropped.
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
