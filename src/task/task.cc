#include "task/task.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

constexpr std::array<TaskStatus, 5> kStatuses = {TaskStatus::kPending, TaskStatus::kClaimed,
                                                 TaskStatus::kComplete, TaskStatus::kFailed,
                                                 TaskStatus::kKilled};

bool IsClaim(const HistoryEntry& entry) { return entry.status == WireName(TaskStatus::kClaimed); }

bool IsMachineFaultReset(const HistoryEntry& entry) {
  return entry.status == kResetEntry && absl::StartsWith(entry.failure_reason, kMachineFaultPrefix);
}

// True if `next`, the entry after a claim, is the recorded end of that claim.
bool IsEndOfClaim(const HistoryEntry& next) {
  if (next.status == kResetEntry) {
    return !next.failure_reason.empty() && !absl::StartsWith(next.failure_reason, kAbandonedPrefix);
  }
  const std::optional<TaskStatus> status = ParseTaskStatus(next.status);
  return status.has_value() && IsFinal(*status);
}

}  // namespace

absl::string_view WireName(TaskStatus status) {
  switch (status) {
    case TaskStatus::kPending:
      return "pending";
    case TaskStatus::kClaimed:
      return "claimed";
    case TaskStatus::kComplete:
      return "complete";
    case TaskStatus::kFailed:
      return "failed";
    case TaskStatus::kKilled:
      return "killed";
  }
  return "";
}

std::optional<TaskStatus> ParseTaskStatus(absl::string_view wire_name) {
  for (const TaskStatus status : kStatuses) {
    if (WireName(status) == wire_name) return status;
  }
  return std::nullopt;
}

int CountClaims(const std::vector<HistoryEntry>& history) {
  return static_cast<int>(std::count_if(history.begin(), history.end(), IsClaim));
}

int FirstClaimSinceEnd(const std::vector<HistoryEntry>& history) {
  int claims = 0;
  int first = 1;
  for (const HistoryEntry& entry : history) {
    const std::optional<TaskStatus> status = ParseTaskStatus(entry.status);
    if (status && IsFinal(*status)) first = claims + 1;
    if (IsClaim(entry)) ++claims;
  }
  return first;
}

std::optional<absl::Time> EndOfClaim(const std::vector<HistoryEntry>& history, int claim) {
  int claims = 0;
  for (size_t i = 0; i + 1 < history.size(); ++i) {
    if (IsClaim(history[i]) && ++claims == claim) return history[i + 1].timestamp;
  }
  return std::nullopt;
}

int CountAbandonedClaims(const std::vector<HistoryEntry>& history) {
  int count = 0;
  for (size_t i = 0; i < history.size(); ++i) {
    const std::optional<TaskStatus> status = ParseTaskStatus(history[i].status);
    if (status && IsFinal(*status)) count = 0;
    if (!IsClaim(history[i])) continue;
    const bool ended = i + 1 < history.size() && IsEndOfClaim(history[i + 1]);
    if (!ended) ++count;
  }
  return count;
}

int CountMachineFaults(const std::vector<HistoryEntry>& history) {
  int count = 0;
  for (auto entry = history.rbegin(); entry != history.rend(); ++entry) {
    const std::optional<TaskStatus> status = ParseTaskStatus(entry->status);
    if (status && IsFinal(*status)) break;
    if (IsMachineFaultReset(*entry)) ++count;
  }
  return count;
}

std::string ReasonNotToClaim(const std::vector<HistoryEntry>& history) {
  if (CountAbandonedClaims(history) >= kMaxAbandonedClaims) {
    return absl::StrCat("failed after ", kMaxAbandonedClaims,
                        " abandoned claims: the task may kill its worker, for example by using all "
                        "memory; fix and reset it");
  }
  if (CountMachineFaults(history) < kMaxMachineFaultsOfTask) return "";
  const auto last = std::find_if(history.rbegin(), history.rend(), IsMachineFaultReset);
  return absl::StrCat("failed after ", kMaxMachineFaultsOfTask, " machine faults; the last ",
                      last->failure_reason);
}

}  // namespace sparkles
