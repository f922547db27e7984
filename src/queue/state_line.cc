#include "queue/state_line.h"

#include <limits>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/crc32c.h"
#include "base/json.h"
#include "base/status.h"

namespace sparkles {
namespace {

constexpr absl::string_view kFormatFamily = "sparkles-state-";
constexpr absl::string_view kFormat = "sparkles-state-1";

// The last property of a line is the CRC-32C of everything before it, in eight hex digits.
constexpr absl::string_view kBeforeChecksum = ",\"crc32c\":\"";
constexpr absl::string_view kAfterChecksum = "\"}";
constexpr size_t kChecksumDigits = 8;

std::string ChecksumOf(absl::string_view text) {
  return absl::StrCat(absl::Hex(Crc32c(text), absl::kZeroPad8));
}

struct CheckedLine {
  absl::string_view text;  // covered by the checksum
  absl::string_view checksum;
};

// nullopt if the line has no checksum.
std::optional<CheckedLine> SplitChecksum(absl::string_view line) {
  constexpr size_t kTail = kBeforeChecksum.size() + kChecksumDigits + kAfterChecksum.size();
  if (line.size() < kTail || !absl::EndsWith(line, kAfterChecksum)) return std::nullopt;
  const size_t size = line.size() - kTail;
  if (!absl::StartsWith(line.substr(size), kBeforeChecksum)) return std::nullopt;
  return CheckedLine{line.substr(0, size),
                     line.substr(size + kBeforeChecksum.size(), kChecksumDigits)};
}

absl::StatusOr<Json> ParseObject(absl::string_view line) {
  ASSIGN_OR_RETURN(Json json, ParseJson(line));
  if (!json.is_object()) return absl::InvalidArgumentError("is not a JSON object");
  return json;
}

absl::StatusOr<TaskStatus> ReadStatus(const Json& json) {
  ASSIGN_OR_RETURN(const std::string name, ReadJsonText(json, "status"));
  const std::optional<TaskStatus> status = ParseTaskStatus(name);
  if (!status) return absl::InvalidArgumentError("status: is missing or unknown");
  return *status;
}

absl::StatusOr<int> ReadVersion(const Json& json) {
  const int64_t version = JsonInteger(json, "version").value_or(0);
  // The next change must be able to add 1.
  if (version < 1 || version >= std::numeric_limits<int>::max()) {
    return absl::InvalidArgumentError("version: is missing or not a positive number");
  }
  return static_cast<int>(version);
}

absl::StatusOr<absl::Time> ReadTimestamp(const Json& json) {
  const Json* const found = JsonField(json, "timestamp");
  if (found == nullptr || !found->is_number()) {
    return absl::InvalidArgumentError("timestamp: is missing or not a number");
  }
  // A double cannot hold each millisecond exactly, so round to the nearest.
  const absl::Duration since_epoch = absl::Seconds(found->get<double>());
  return absl::UnixEpoch() +
         absl::Trunc(since_epoch + absl::Microseconds(500), absl::Milliseconds(1));
}

}  // namespace

std::string FormatStateChange(const StateChange& change) {
  OrderedJson json = {{"task_id", change.task_id},
                      {"status", std::string(WireName(change.status))}};
  if (change.status == TaskStatus::kPending) json["history"] = std::string(kResetEntry);
  if (!change.owner.empty()) json["owner"] = change.owner;
  // Milliseconds, as in the history of the entity.
  json["timestamp"] = static_cast<double>(absl::ToUnixMillis(change.timestamp)) / 1000;
  json["version"] = change.version;
  if (!change.exit_code.empty()) json["exit_code"] = change.exit_code;
  if (!change.failure_reason.empty()) json["failure_reason"] = change.failure_reason;
  std::string line = DumpJson(json);
  line.pop_back();  // the closing brace
  const std::string checksum = ChecksumOf(line);
  absl::StrAppend(&line, kBeforeChecksum, checksum, kAfterChecksum, "\n");
  return line;
}

bool HasValidChecksum(absl::string_view line) {
  const auto checked = SplitChecksum(line);
  return checked && checked->checksum == ChecksumOf(checked->text);
}

absl::StatusOr<StateChange> ParseStateChange(absl::string_view line) {
  if (SplitChecksum(line) && !HasValidChecksum(line)) {
    return absl::InvalidArgumentError("has a wrong checksum");
  }
  ASSIGN_OR_RETURN(const Json json, ParseObject(line));
  StateChange change;
  ASSIGN_OR_RETURN(change.task_id, ReadJsonText(json, "task_id"));
  if (change.task_id.empty()) return absl::InvalidArgumentError("task_id: is missing or empty");
  ASSIGN_OR_RETURN(change.status, ReadStatus(json));
  ASSIGN_OR_RETURN(change.owner, ReadJsonText(json, "owner"));
  ASSIGN_OR_RETURN(change.timestamp, ReadTimestamp(json));
  ASSIGN_OR_RETURN(change.version, ReadVersion(json));
  ASSIGN_OR_RETURN(change.exit_code, ReadJsonText(json, "exit_code"));
  ASSIGN_OR_RETURN(change.failure_reason, ReadJsonText(json, "failure_reason"));
  return change;
}

std::string FormatStateHeader() {
  return absl::StrCat(DumpJson(OrderedJson{{"format", std::string(kFormat)}}), "\n");
}

absl::Status CheckStateHeader(absl::string_view line) {
  const auto json = ParseObject(line);
  const auto format = json.ok() ? ReadJsonText(*json, "format") : json.status();
  if (format.ok() && *format == kFormat) return absl::OkStatus();
  if (format.ok() && absl::StartsWith(*format, kFormatFamily)) {
    return absl::FailedPreconditionError(
        absl::StrCat("has the format ", *format, " of a newer sparklesworker"));
  }
  return absl::InvalidArgumentError("is not the header of a state file");
}

}  // namespace sparkles
