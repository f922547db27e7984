// The task that a worker runs now, for readers in other threads and processes.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sparkles {

enum class TaskPhase : uint32_t {
  kIdle,       // no task
  kPreparing,  // directory, spec, checkpoint, scripts
  kFetching,   // inputs
  kRunning,    // the command
  kStoring,    // outputs, log, result.json
};

// What a CurrentTask says at one moment. Times are whole milliseconds.
struct TaskSnapshot {
  std::string task_id;  // empty if idle; cut to CurrentTask::kMaxIdBytes
  TaskPhase phase = TaskPhase::kIdle;
  absl::Time task_since;
  absl::Time phase_since;
  uint64_t files = 0;  // to transfer in this phase; 0 if unknown
  uint64_t files_done = 0;
  uint64_t bytes_done = 0;  // of content, in this phase
};

// One thread at a time changes it with Begin, Enter and End. Any thread may call the other methods.
// Holds only lock-free atomics and no pointers, so that processes can share it in memory. If its
// process is killed in the middle of a change, Read returns nullopt until the next change, which
// another process may make.
class CurrentTask {
 public:
  static constexpr size_t kMaxIdBytes = 128;

  // The worker begins this task, with the phase kPreparing.
  void Begin(absl::string_view task_id, absl::Time now);
  // A new phase of the task, with `files` to transfer.
  void Enter(TaskPhase phase, absl::Time now, uint64_t files = 0);
  // The worker has no task.
  void End();

  void AddFile() { files_done_.fetch_add(1, std::memory_order_relaxed); }
  void AddBytes(uint64_t bytes) { bytes_done_.fetch_add(bytes, std::memory_order_relaxed); }

  // Never waits. nullopt while a change is being made.
  std::optional<TaskSnapshot> Read() const;

 private:
  using Word = std::atomic<uint64_t>;
  static_assert(Word::is_always_lock_free);
  static constexpr size_t kIdWords = kMaxIdBytes / sizeof(uint64_t);

  // Makes sequence_ odd, and after the change even again.
  class Change;

  void SetPhase(TaskPhase phase, absl::Time now, uint64_t files);

  Word sequence_ = 0;              // odd during a change; another number after each change
  std::array<Word, kIdWords> id_;  // filled up with zero bytes
  Word phase_ = 0;
  Word task_since_ms_ = 0;  // Unix time, as phase_since_ms_
  Word phase_since_ms_ = 0;
  Word files_ = 0;
  Word files_done_ = 0;
  Word bytes_done_ = 0;
};

}  // namespace sparkles
