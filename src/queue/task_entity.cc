#include "queue/task_entity.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/text.h"

namespace sparkles {
namespace {

double SecondsOf(absl::Time time) { return absl::ToDoubleSeconds(time - absl::UnixEpoch()); }

std::string TextOf(const Json& properties, const char* name) {
  return AsString(JsonField(properties, name)).value_or("");
}

// Steps must fit on top, and clients that know numbers only as doubles must count them too.
bool IsVersion(int64_t number) { return number >= 0 && number < int64_t{1} << 53; }

// A double is sent in as many digits as make the same double again.
bool HasStamp(const Json& entry, absl::Time timestamp) {
  return AsDouble(JsonField(entry, "timestamp")) == SecondsOf(timestamp);
}

bool IsClaim(const Json& entry, absl::string_view owner, absl::Time claimed_at) {
  return TextOf(entry, "status") == WireName(TaskStatus::kClaimed) &&
         TextOf(entry, "owner") == owner && HasStamp(entry, claimed_at);
}

}  // namespace

std::string JobIdOf(absl::string_view task_id) {
  return std::string(task_id.substr(0, task_id.rfind('.')));
}

bool IsKilledJob(const Entity& job) {
  return AsString(job.Find("status")) == WireName(TaskStatus::kKilled);
}

absl::Time StampOf(absl::Time time) { return absl::FromUnixMicros(absl::ToUnixMicros(time)); }

std::optional<std::string> TaskEntity::Text(absl::string_view property) const {
  return AsString(entity_.Find(property));
}

// A query also finds an array that has the value among others.
bool TaskEntity::MayBePendingIn(absl::string_view cluster) const {
  const std::optional<std::string> status = Text("status");
  const std::optional<std::string> own_cluster = Text("cluster");
  return (!status || *status == WireName(TaskStatus::kPending)) &&
         (!own_cluster || *own_cluster == cluster);
}

std::string TaskEntity::Problem() const {
  for (const char* property : {"status", "cluster", "args"}) {
    if (!Text(property)) return absl::StrCat(property, ": is not a string");
  }
  const Json* version = entity_.Find("version");
  const std::optional<int64_t> number = AsInteger(version);
  if (!IsNull(version) && (!number || !IsVersion(*number))) {
    return "version: is not a number that can be counted on";
  }
  const Json* history = entity_.Find("history");
  if (!IsNull(history) && !IsArray(history)) return "history: is not a list";
  return "";
}

bool TaskEntity::IsKilled() const { return Text("status") == WireName(TaskStatus::kKilled); }

int64_t TaskEntity::version() const {
  const std::optional<int64_t> number = AsInteger(entity_.Find("version"));
  return number && IsVersion(*number) ? *number : 0;
}

std::vector<HistoryEntry> TaskEntity::History() const {
  std::vector<HistoryEntry> history;
  for (const Json* element : Elements(entity_.Find("history"))) {
    const Json* properties = AsProperties(*element);
    if (properties == nullptr) continue;
    HistoryEntry entry;
    const double seconds = AsDouble(JsonField(*properties, "timestamp")).value_or(0);
    entry.timestamp = absl::UnixEpoch() + absl::Seconds(seconds);
    entry.status = TextOf(*properties, "status");
    entry.owner = TextOf(*properties, "owner");
    entry.failure_reason = TextOf(*properties, "failure_reason");
    history.push_back(std::move(entry));
  }
  return history;
}

Task TaskEntity::ToTask() const {
  Task task;
  task.id = id_;
  task.job_id = Text("job_id").value_or(JobIdOf(id_));
  const std::optional<int64_t> index = AsInteger(entity_.Find("task_index"));
  task.index = index ? absl::StrCat(*index) : Text("task_index").value_or("");
  task.args = Text("args").value_or("");
  task.command_result_url = Text("command_result_url").value_or("");
  task.log_url = Text("log_url").value_or("");
  return task;
}

bool TaskEntity::IsClaimOf(absl::string_view owner, int64_t claim_version,
                           absl::Time claimed_at) const {
  // After a reset another worker of this name may hold the task.
  return Text("status") == WireName(TaskStatus::kClaimed) && Text("owner") == owner &&
         version() == claim_version && WasLastClaimedBy(owner, claimed_at);
}

bool TaskEntity::WasLastClaimedBy(absl::string_view owner, absl::Time claimed_at) const {
  const Json* last = nullptr;
  for (const Json* element : Elements(entity_.Find("history"))) {
    const Json* properties = AsProperties(*element);
    const bool claim =
        properties != nullptr && TextOf(*properties, "status") == WireName(TaskStatus::kClaimed);
    if (claim) last = properties;
  }
  return last != nullptr && IsClaim(*last, owner, claimed_at);
}

bool TaskEntity::HasEntryAfter(absl::string_view owner, absl::Time claimed_at,
                               absl::string_view status, absl::Time timestamp) const {
  bool found = false;
  for (const Json* element : Elements(entity_.Find("history"))) {
    const Json* properties = AsProperties(*element);
    if (properties == nullptr) continue;
    if (IsClaim(*properties, owner, claimed_at)) {
      found = false;
    } else if (TextOf(*properties, "status") == status && HasStamp(*properties, timestamp)) {
      found = true;
    }
  }
  return found;
}

// Adds no property that nobody asked for: an old Go worker dies of what it does not know.
void TaskEntity::Replace(absl::string_view property, Json value) {
  if (entity_.Find(property) != nullptr) entity_.Set(property, std::move(value));
}

void TaskEntity::Change(absl::string_view status, absl::Time now, absl::string_view owner,
                        absl::string_view reason) {
  const double seconds = SecondsOf(StampOf(now));
  entity_.Set("task_id", StringValue(id_));
  entity_.Set("status",
              StringValue(status == kResetEntry ? WireName(TaskStatus::kPending) : status));
  const Json* version_value = entity_.Find("version");
  if (IsNull(version_value) || AsInteger(version_value)) {
    entity_.Set("version", IntegerValue(version() + 1));
  }
  Replace("last_updated", DoubleValue(seconds));
  Replace("exit_code", NullValue());
  Replace("failure_reason", NullValue());

  Json entry = {{"timestamp", Unindexed(DoubleValue(seconds))},
                {"status", Unindexed(StringValue(status))}};
  if (!owner.empty()) entry["owner"] = Unindexed(StringValue(owner));
  if (!reason.empty()) {
    entry["failure_reason"] = Unindexed(StringValue(CutText(reason, kMaxFailureReasonBytes)));
  }
  entity_.Append("history", EntityValue(std::move(entry)));
}

void TaskEntity::Claim(absl::string_view owner, absl::string_view monitor_address,
                       absl::Time claimed_at, absl::Time now) {
  Change(WireName(TaskStatus::kClaimed), claimed_at, owner, "");
  Replace("last_updated", DoubleValue(SecondsOf(StampOf(now))));
  entity_.Set("owner", StringValue(owner));
  Replace("monitor_address", monitor_address.empty() ? NullValue() : StringValue(monitor_address));
}

void TaskEntity::Complete(absl::string_view exit_code, absl::Time now) {
  Change(WireName(TaskStatus::kComplete), now, "", "");
  entity_.Set("exit_code", StringValue(exit_code));
}

void TaskEntity::Fail(absl::string_view reason, absl::Time now) {
  Change(WireName(TaskStatus::kFailed), now, "", reason);
  entity_.Set("failure_reason", Unindexed(StringValue(CutText(reason, kMaxFailureReasonBytes))));
}

// The reason is in the history alone: clients count tasks with a failure_reason as failed ones.
void TaskEntity::Kill(absl::string_view reason, absl::Time now) {
  Change(WireName(TaskStatus::kKilled), now, "", reason);
}

void TaskEntity::HandBack(absl::string_view reason, absl::Time now) {
  Change(kResetEntry, now, "", reason);
  entity_.Set("owner", NullValue());
}

}  // namespace sparkles
