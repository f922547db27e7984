// Restores, saves and removes the checkpoint of one task.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/activity.h"
#include "base/clock.h"
#include "base/heartbeat.h"
#include "base/log.h"
#include "base/stop_time.h"
#include "base/thread.h"
#include "base/worker_metrics.h"
#include "checkpoint/identity.h"
#include "checkpoint/last_save_limit.h"
#include "checkpoint/saver.h"
#include "storage/object_store.h"
#include "task/task.h"
#include "task/task_result.h"

namespace sparkles {

// The variable with the absolute path of the checkpoint directory, which every command gets.
inline constexpr char kCheckpointDirVariable[] = "SPARKLES_CHECKPOINT_DIR";
// The number of the attempt whose checkpoint was restored. Not set otherwise.
inline constexpr char kRestoredVariable[] = "SPARKLES_RESTORED";

// The options of all tasks of a worker.
struct CheckpointOptions {
  absl::Duration every = absl::ZeroDuration();  // zero: nothing is saved or restored
  CheckpointCounters* counters = nullptr;       // borrowed; may be null
};

class TaskCheckpoint {
 public:
  struct Parts {
    CheckpointOptions options;
    StopTime stop_time;      // of the worker
    int transfers = 32;      // files that move at a time
    std::string directory;   // the local checkpoint directory: exists, and is empty
    std::string result_url;  // of result.json; if empty, nothing is saved or restored
    CheckpointIdentity identity;
    std::vector<HistoryEntry> history;  // of the task
    ObjectStore& store;
    Clock& clock;
    CheckClaim check_claim;
    Log log;                             // the worker's
    std::atomic<bool>& removal_refused;  // true if the worker has logged a refusal
  };
  // Borrows the references. Used by one thread.
  explicit TaskCheckpoint(Parts parts);
  ~TaskCheckpoint();
  TaskCheckpoint(const TaskCheckpoint&) = delete;
  TaskCheckpoint& operator=(const TaskCheckpoint&) = delete;

  // Restores the checkpoint of an earlier attempt. Errors are those of RestoreCheckpoint. May call
  // `add_to_log` with a line for the task's log.
  absl::Status Restore(const Activity& activity,
                       const std::function<void(absl::string_view)>& add_to_log);
  // "NAME=value" for scripts and command.
  std::vector<std::string> Variables() const;

  // From this call to EndSaves, another thread saves changed files. `task` is cancelled when the
  // task must stop. Call it once.
  void BeginSaves(const CancelToken& task);
  void EndSaves();
  // The last save of a task that is handed back. Call it after BeginSaves and EndSaves. False if
  // no save was tried, because nothing is saved for this task.
  bool SaveLast(Heartbeat* heartbeat);

  // For result.json; nullopt if nothing was restored or saved.
  std::optional<CheckpointUse> Summary() const;
  // For Outcome::when_ended. Does not refer to this object. Empty if nothing is to be removed.
  std::function<void(const CancelToken& stop)> Removal() const;

 private:
  bool enabled() const;
  void SavePeriodically(const CancelToken& end);
  void Save(const CheckpointSaver::Limits& limits);
  void LogSaveFailure(const absl::Status& failed);
  void LogRestore(const FoundCheckpoint& found,
                  const std::function<void(absl::string_view)>& add_to_log) const;

  const Parts parts_;
  const std::string url_;
  CheckpointSaver saver_;
  std::optional<int> restored_attempt_;
  absl::Time warned_at_ = absl::InfinitePast();
  bool names_reported_ = false;
  std::optional<LastSaveLimit> last_;
  CancelToken end_saves_;
  std::atomic<bool> thread_is_done_ = true;
  std::optional<Housekeeper> thread_;
};

}  // namespace sparkles
