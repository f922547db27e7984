// A task, its status and its history, with the strings of the wire contract.
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

// The status in the history entry of a hand-back or reset.
inline constexpr absl::string_view kResetEntry = "reset";

// One entry of a task's history. `status` is a wire name or kResetEntry.
struct HistoryEntry {
  absl::Time timestamp;
  std::string status;
  std::string owner;           // or empty
  std::string failure_reason;  // or empty
};

struct Task {
  std::string id;  // "JOBID.INDEX"
  std::string job_id;
  std::string index;               // decimal, as in SPARKLES_TASK_INDEX; may be empty
  std::string args;                // the task spec as JSON text
  std::string command_result_url;  // for result.json if the spec has no such URL; may be empty
  std::string log_url;             // for the log if the spec has no such URL; may be empty
  // Up to and including the claim of this attempt. Empty before the claim.
  std::vector<HistoryEntry> history = {};
};

// The number of claims of the task.
int CountClaims(const std::vector<HistoryEntry>& history);

// The number of the first claim after the last final status. Claims count from 1.
int FirstClaimSinceEnd(const std::vector<HistoryEntry>& history);

// The time of the entry that follows claim number `claim`; nullopt if there is none.
std::optional<absl::Time> EndOfClaim(const std::vector<HistoryEntry>& history, int claim);

// The reason of a reset starts with this text if the claim was abandoned.
inline constexpr absl::string_view kAbandonedPrefix = "abandoned: ";

// The number of abandoned claims since the last final status. A task that kills its worker causes
// them. A claim is not abandoned if the next entry is a final status, or a reset with another
// reason. A claim in the last entry counts, because the caller asks only when the task could be
// claimed. A task with kMaxAbandonedClaims is failed (docs/wire-entities.md).
int CountAbandonedClaims(const std::vector<HistoryEntry>& history);
inline constexpr int kMaxAbandonedClaims = 10;

// The reason of a reset starts with this text if a machine fault caused the reset.
inline constexpr absl::string_view kMachineFaultPrefix = "machine fault: ";

// The number of resets because of machine faults since the last final status. One worker ends after
// five machine faults in a row (worker/consumer), so a task with kMaxMachineFaultsOfTask has failed
// on several machines. It is failed, because it would end one worker after another.
int CountMachineFaults(const std::vector<HistoryEntry>& history);
inline constexpr int kMaxMachineFaultsOfTask = 20;

// The reason why a task with this history must not be claimed again, or "" if it may be claimed.
std::string ReasonNotToClaim(const std::vector<HistoryEntry>& history);

// Longer failure reasons are cut, because a reason may quote a whole task spec. This is Datastore's
// limit for an indexed string, which a client may make of the reason.
inline constexpr size_t kMaxFailureReasonBytes = 1500;

}  // namespace sparkles
