#include "monitor/output_table.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"

namespace sparkles {
namespace {

// Of disk that nobody else holds: a file that still has a name takes its disk anyway.
int64_t HeldBytes(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0 || info.st_nlink > 0) return 0;
  return int64_t{info.st_blocks} * 512;  // the unit of st_blocks, whatever the file system
}

}  // namespace

absl::Status OutputTable::Add(const std::string& task_id, const std::string& path) {
  // What a FIFO or device would do to a reader must not befall us.
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
  const int64_t bytes = HeldBytes(log->fd());
  const absl::Time now = clock_.Now();
  if (bytes <= limits_.bytes) {
    ended_.push_back({task_id, now, bytes, log});
    ended_bytes_ += bytes;
  }
  DropOld(now);
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
  for (auto ended = ended_.begin(); ended != ended_.end();) {
    if (ended->task_id != task_id) {
      ++ended;
      continue;
    }
    ended_bytes_ -= ended->bytes;
    ended = ended_.erase(ended);
  }
}

void OutputTable::DropOld(absl::Time now) {
  while (!ended_.empty() && (ended_.size() > limits_.tasks || ended_bytes_ > limits_.bytes ||
                             now - ended_.front().since >= limits_.age)) {
    ended_bytes_ -= ended_.front().bytes;
    ended_.pop_front();
  }
}

}  // namespace sparkles
