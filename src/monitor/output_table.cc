#include "monitor/output_table.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"

namespace sparkles {
namespace {

// The bytes on disk that only this descriptor keeps: 0 if the file still has a name.
int64_t HeldBytes(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0 || info.st_nlink > 0) return 0;
  return int64_t{info.st_blocks} * 512;  // the unit of st_blocks on all file systems
}

}  // namespace

absl::Status OutputTable::Add(const std::string& task_id, const std::string& path) {
  // Opening a FIFO without O_NONBLOCK could block. Reading a device could have effects.
  ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  struct stat info;
  if (fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": not a regular file"));
  }
  auto log = std::make_shared<ReadableLog>(std::move(fd));
  MutexLock lock(mutex_);
  Forget(task_id);
  running_[task_id] = std::move(log);
  DropOld(clock_.Now());
  return absl::OkStatus();
}

void OutputTable::End(const std::string& task_id) {
  MutexLock lock(mutex_);
  const auto found = running_.find(task_id);
  if (found == running_.end()) return;
  const std::shared_ptr<ReadableLog> log = std::move(found->second);
  running_.erase(found);
  log->ended_ = true;
  const absl::Time now = clock_.Now();
  ended_.push_back({task_id, now, log});
  DropOld(now);
}

void OutputTable::DropOld() {
  MutexLock lock(mutex_);
  DropOld(clock_.Now());
}

absl::Time OutputTable::LastUnfinishedRead() {
  MutexLock lock(mutex_);
  int64_t last = 0;
  for (const Ended& ended : ended_) last = std::max<int64_t>(last, ended.log->unfinished_read_ms_);
  return absl::FromUnixMillis(last);
}

std::shared_ptr<const ReadableLog> OutputTable::Find(const std::string& task_id) {
  MutexLock lock(mutex_);
  const auto running = running_.find(task_id);
  if (running != running_.end()) return running->second;
  DropOld(clock_.Now());
  for (const Ended& ended : ended_) {
    if (ended.task_id == task_id) return ended.log;
  }
  return nullptr;
}

void OutputTable::Forget(const std::string& task_id) {
  running_.erase(task_id);
  std::erase_if(ended_, [&](const Ended& ended) { return ended.task_id == task_id; });
}

void OutputTable::DropOld(absl::Time now) {
  int64_t held = 0;
  std::erase_if(ended_, [&](const Ended& ended) {
    const int64_t bytes = HeldBytes(ended.log->fd());
    if (bytes > limits_.bytes) return true;  // drops only this log, and not all older ones
    held += bytes;
    return false;
  });
  while (!ended_.empty() && (ended_.size() > limits_.tasks || held > limits_.bytes ||
                             now - ended_.front().since >= limits_.age)) {
    held -= HeldBytes(ended_.front().log->fd());
    ended_.pop_front();
  }
}

}  // namespace sparkles
