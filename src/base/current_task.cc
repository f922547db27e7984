#include "base/current_task.h"

#include <cstring>

#include "base/text.h"

namespace sparkles {
namespace {

// Attempts to read before the change of a writer counts as stopped. A change takes nanoseconds.
constexpr int kReadAttempts = 100;

uint64_t ToWord(absl::Time time) { return static_cast<uint64_t>(absl::ToUnixMillis(time)); }

absl::Time FromWord(uint64_t milliseconds) {
  return absl::FromUnixMillis(static_cast<int64_t>(milliseconds));
}

}  // namespace

// Each word is stored with release order, so that a reader that sees a new word also sees the odd
// number before it.
class CurrentTask::Change {
 public:
  explicit Change(Word& sequence) : sequence_(sequence) {
    // Differs from the number of a killed writer, too.
    const uint64_t before = sequence_.load(std::memory_order_relaxed);
    odd_ = (before + 1) | 1;
    sequence_.store(odd_, std::memory_order_relaxed);
  }
  ~Change() { sequence_.store(odd_ + 1, std::memory_order_release); }
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

 private:
  Word& sequence_;
  uint64_t odd_;
};

void CurrentTask::Begin(absl::string_view task_id, absl::Time now) {
  const Change change(sequence_);
  std::string id = CutText(task_id, kMaxIdBytes);
  id.resize(kMaxIdBytes, '\0');
  for (size_t i = 0; i < kIdWords; ++i) {
    uint64_t word;
    memcpy(&word, id.data() + i * sizeof word, sizeof word);
    id_[i].store(word, std::memory_order_release);
  }
  task_since_ms_.store(ToWord(now), std::memory_order_release);
  SetPhase(TaskPhase::kPreparing, now, 0);
}

void CurrentTask::Enter(TaskPhase phase, absl::Time now, uint64_t files) {
  const Change change(sequence_);
  SetPhase(phase, now, files);
}

void CurrentTask::End() {
  const Change change(sequence_);
  for (Word& word : id_) word.store(0, std::memory_order_release);
  SetPhase(TaskPhase::kIdle, absl::UnixEpoch(), 0);
}

void CurrentTask::SetPhase(TaskPhase phase, absl::Time now, uint64_t files) {
  phase_.store(static_cast<uint64_t>(phase), std::memory_order_release);
  phase_since_ms_.store(ToWord(now), std::memory_order_release);
  files_.store(files, std::memory_order_release);
  files_done_.store(0, std::memory_order_release);
  bytes_done_.store(0, std::memory_order_release);
}

std::optional<TaskSnapshot> CurrentTask::Read() const {
  for (int i = 0; i < kReadAttempts; ++i) {
    const uint64_t before = sequence_.load(std::memory_order_acquire);
    if (before % 2 != 0) continue;
    TaskSnapshot seen;
    seen.task_id.resize(kMaxIdBytes);
    for (size_t word = 0; word < kIdWords; ++word) {
      const uint64_t bytes = id_[word].load(std::memory_order_acquire);
      memcpy(seen.task_id.data() + word * sizeof bytes, &bytes, sizeof bytes);
    }
    seen.phase = static_cast<TaskPhase>(phase_.load(std::memory_order_acquire));
    seen.task_since = FromWord(task_since_ms_.load(std::memory_order_acquire));
    seen.phase_since = FromWord(phase_since_ms_.load(std::memory_order_acquire));
    seen.files = files_.load(std::memory_order_acquire);
    seen.files_done = files_done_.load(std::memory_order_acquire);
    seen.bytes_done = bytes_done_.load(std::memory_order_acquire);
    if (sequence_.load(std::memory_order_relaxed) != before) continue;
    seen.task_id.erase(seen.task_id.find_last_not_of('\0') + 1);
    return seen;
  }
  return std::nullopt;
}

}  // namespace sparkles
