#include "queue/task_counter.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/file_lock.h"
#include "queue/new_lines.h"
#include "queue/state_log.h"
#include "queue/tasks_file.h"

namespace sparkles {

TaskCounter::TaskCounter(const std::string& tasks_path, const std::vector<FileTask>& tasks,
                         Clock& clock)
    : tasks_path_(tasks_path),
      state_path_(StatePathOf(tasks_path)),
      clock_(clock),
      start_(clock.Now()),
      stamp_(StampOfTasks()),
      next_read_(start_) {
  SetTasks(tasks);
}

TaskCounts TaskCounter::Count() {
  ReadTasksIfChanged();
  ReadNewStates();
  TaskCounts counts = counts_;
  const absl::Time now = clock_.Now();
  for (const off_t key : claimed_) {
    const auto locked = IsByteLocked(fd_.get(), key, state_path_);
    if (locked.ok() && !*locked) {
      --counts.running;
      ++counts.waiting;
      continue;
    }
    const absl::Time since = entries_[key].claimed;
    counts.running_since.push_back(since);
    counts.time_worked += std::max(now - std::max(since, start_), absl::ZeroDuration());
  }
  return counts;
}

std::optional<TaskCounter::Stamp> TaskCounter::StampOfTasks() const {
  struct stat info;
  if (stat(tasks_path_.c_str(), &info) != 0) return std::nullopt;
  return Stamp{IdOf(info), info.st_size, absl::TimeFromTimespec(info.st_mtim)};
}

void TaskCounter::ReadTasksIfChanged() {
  const absl::Time now = clock_.Now();
  if (now < next_read_) return;
  const std::optional<Stamp> stamp = StampOfTasks();
  if (!stamp || (stamp_ && stamp->id == stamp_->id && stamp->size == stamp_->size &&
                 stamp->modified == stamp_->modified)) {
    return;
  }
  stamp_ = stamp;
  // The worker reports what is wrong with the file.
  if (const auto file = ReadTasksFile(tasks_path_); file.ok()) SetTasks(file->tasks);
  const absl::Time end = clock_.Now();
  next_read_ = end + 100 * (end - now);
}

void TaskCounter::SetTasks(const std::vector<FileTask>& tasks) {
  for (auto& [key, entry] : entries_) {
    Exclude(key, entry);
    entry.in_file = false;
  }
  for (const FileTask& task : tasks) {
    const off_t key = LockByteOf(task.task.id);
    Entry& entry = entries_[key];
    if (std::exchange(entry.in_file, true)) continue;
    Include(key, entry);
  }
}

void TaskCounter::ReadNewStates() {
  if (!OpenStates()) return;
  // Only whole lines count, because another worker may replace a torn line. The worker reports
  // errors of this file.
  (void)ReadNewLines(fd_.get(), offset_, state_path_,
                     [this](absl::string_view line) { return TakeLine(line); });
}

bool TaskCounter::OpenStates() {
  struct stat named;
  if (stat(state_path_.c_str(), &named) != 0 || !S_ISREG(named.st_mode)) return false;
  if (fd_.valid() && IdOf(named) == id_ && named.st_size >= offset_) return true;
  auto opened = OpenFile(state_path_, O_RDONLY | O_NONBLOCK);
  if (!opened.ok()) return false;
  fd_ = *std::move(opened);
  id_ = IdOf(named);
  offset_ = 0;
  for (auto& [key, entry] : entries_) {
    Exclude(key, entry);
    entry = Entry{.in_file = entry.in_file};
    Include(key, entry);
  }
  return true;
}

absl::Status TaskCounter::TakeLine(absl::string_view line) {
  if (line.size() > kMaxStateLineBytes) return absl::InvalidArgumentError("is not a state file");
  offset_ += static_cast<off_t>(line.size()) + 1;
  // The first line is the header. Damaged lines are skipped, as in StateLog.
  if (const auto change = ParseStateChange(line); change.ok()) Apply(*change);
  return absl::OkStatus();
}

void TaskCounter::Apply(const StateChange& change) {
  const off_t key = LockByteOf(change.task_id);
  Entry& entry = entries_[key];
  Exclude(key, entry);
  entry.status = change.status;
  entry.nonzero = change.status == TaskStatus::kComplete && change.exit_code != "0";
  if (change.status == TaskStatus::kClaimed) entry.claimed = change.timestamp;
  Include(key, entry);
  if (IsFinal(change.status) && change.timestamp >= start_) CountEnd(entry, change.timestamp);
}

void TaskCounter::CountEnd(const Entry& entry, absl::Time end) {
  if (entry.claimed > end) return;  // the task was never claimed, or the clock was set back
  ++counts_.ended;
  counts_.time_of_ended += end - entry.claimed;
  counts_.time_worked += end - std::max(entry.claimed, start_);
}

void TaskCounter::Include(off_t key, const Entry& entry) {
  if (!entry.in_file) return;
  ++counts_.tasks;
  ++CountOf(entry.status);
  if (entry.nonzero) ++counts_.nonzero;
  if (entry.status == TaskStatus::kClaimed) claimed_.insert(key);
}

void TaskCounter::Exclude(off_t key, const Entry& entry) {
  if (!entry.in_file) return;
  --counts_.tasks;
  --CountOf(entry.status);
  if (entry.nonzero) --counts_.nonzero;
  claimed_.erase(key);
}

size_t& TaskCounter::CountOf(TaskStatus status) {
  switch (status) {
    case TaskStatus::kPending:
      return counts_.waiting;
    case TaskStatus::kClaimed:
      return counts_.running;
    case TaskStatus::kComplete:
      return counts_.complete;
    case TaskStatus::kFailed:
    case TaskStatus::kKilled:
      break;
  }
  return counts_.failed;
}

}  // namespace sparkles
