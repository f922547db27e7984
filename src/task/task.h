// A task as the queue knows it, and the wire strings of its life.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sparkles {

enum class TaskStatus { kPending, kClaimed, kComplete, kFailed, kKilled };

// "pending", "claimed", "complete", "failed", "killed".
absl::string_view WireName(TaskStatus status);
std::optional<TaskStatus> ParseTaskStatus(absl::string_view wire_name);
inline bool IsFinal(TaskStatus status) {
  return status != TaskStatus::kPending && status != TaskStatus::kClaimed;
}

// What stands for a status in the history where a task was given back to the queue.
inline constexpr absl::string_view kResetEntry = "reset";

// One entry of a task's history. `status` is a wire name or kResetEntry.
struct HistoryEntry {
  absl::Time timestamp;
  std::string status;
  std::string owner;           // empty: none
  std::string failure_reason;  // empty: none
};

struct Task {
  std::string id;  // "JOBID.INDEX"
  std::string job_id;
  std::string index;               // decimal, as in SPARKLES_TASK_INDEX; may be empty
  std::string args;                // the task spec as JSON text
  std::string command_result_url;  // where result.json goes if the spec cannot say; may be empty
  std::string log_url;             // the same for stdout; may be empty
};

// How often the task was claimed.
int CountClaims(const std::vector<HistoryEntry>& history);

// The text that starts the reason of a reset that was *not* orderly: the worker just vanished.
inline constexpr absl::string_view kAbandonedPrefix = "abandoned: ";

// Claims since the task last came to an end that never came to an orderly one themselves: what a
// task that kills its worker leaves behind, until its user has mended and reset it. A claim ends
// orderly if the next entry is a final status or a reset whose reason is not that of an abandoned
// claim. A claim that is the last entry counts: the caller asks when it could claim the task, that
// is, when nobody holds it. docs/wire-contract.md section 3: at 10 the task is failed.
int CountDisorderlyClaims(const std::vector<HistoryEntry>& history);
inline constexpr int kMaxDisorderlyClaims = 10;

// The text that starts the reason of a reset because of a machine's fault.
inline constexpr absl::string_view kMachineFaultPrefix = "machine fault: ";

// Resets because of machine faults since the task last came to an end. One machine hands a task
// back at most five times in a row (worker/consumer); what so many of them cannot do would take
// down one worker after another.
int CountMachineFaults(const std::vector<HistoryEntry>& history);
inline constexpr int kMaxMachineFaultsOfTask = 20;

// Why a task with this history is to be claimed no more; empty if it may be.
std::string ObjectionTo(const std::vector<HistoryEntry>& history);

// A longer failure reason is cut: it is read by people, and one may quote a whole task spec. The
// number is Datastore's limit for an indexed string, which a client may make of it.
inline constexpr size_t kMaxFailureReasonBytes = 1500;

}  // namespace sparkles
