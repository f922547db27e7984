#include "summary/result_numbers.h"

#include <initializer_list>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "base/json.h"
#include "base/status.h"

namespace sparkles {
namespace {

// Larger numbers are nonsense, and would make columns of any width.
constexpr double kMaxNumber = 1e15;
constexpr double kBytesOfKib = 1024;

// The value at `json[keys[0]][keys[1]]...`; null if it is missing.
const Json* ValueAt(const Json& json, std::initializer_list<const char*> keys) {
  const Json* value = &json;
  for (const char* key : keys) {
    value = JsonField(*value, key);
    if (value == nullptr) return nullptr;
  }
  return value;
}

std::optional<double> NumberAt(const Json& json, std::initializer_list<const char*> keys) {
  const Json* const value = ValueAt(json, keys);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  const double number = value->get<double>();
  return number >= 0 && number <= kMaxNumber ? std::optional(number) : std::nullopt;
}

// The worker writes 0 for a value that the machine does not provide.
std::optional<double> PositiveAt(const Json& json, std::initializer_list<const char*> keys) {
  const std::optional<double> number = NumberAt(json, keys);
  return number && *number > 0 ? number : std::nullopt;
}

std::optional<double> CpuSeconds(const Json& usage) {
  double sum = 0;
  for (const char* time : {"user_cpu_time", "system_cpu_time"}) {
    const auto seconds = NumberAt(usage, {time, "Sec"});
    const auto microseconds = NumberAt(usage, {time, "Usec"});
    if (!seconds || !microseconds) return std::nullopt;
    sum += *seconds + *microseconds / 1e6;
  }
  return sum;
}

// Old results have only the memory of the largest process.
std::optional<double> PeakMemoryBytes(const Json& usage) {
  std::optional<double> kib = NumberAt(usage, {"peak_memory_size"});
  if (!kib) kib = NumberAt(usage, {"max_memory_size"});
  return kib ? std::optional(*kib * kBytesOfKib) : std::nullopt;
}

std::string UnmatchedIn(const Json& result) {
  const Json* const patterns = JsonField(result, "unmatched_patterns");
  if (patterns == nullptr || !patterns->is_array()) return "";
  std::vector<std::string> names;
  for (const Json& pattern : *patterns) {
    if (pattern.is_string()) names.push_back(pattern.get<std::string>());
  }
  return names.empty() ? "" : absl::StrCat("no output matches ", absl::StrJoin(names, ", "));
}

}  // namespace

absl::StatusOr<TaskUse> ParseResultNumbers(absl::string_view text) {
  size_t files = 0;
  ASSIGN_OR_RETURN(const Json result,
                   ParseJsonWithList(text, "files", [&files](const Json&) { ++files; }));
  if (!result.is_object()) return absl::InvalidArgumentError("is not a JSON object");
  static const Json kNone;
  const auto member = [&result](const char* key) -> const Json& {
    const Json* const found = JsonField(result, key);
    return found == nullptr ? kNone : *found;
  };
  const Json& usage = member("resource_usage");
  const Json& stats = member("machine_stats");
  const Json& cause = member("cause");
  TaskUse use;
  use.wall_seconds = NumberAt(usage, {"elapsed_time"});
  use.cpu_seconds = CpuSeconds(usage);
  use.peak_memory_bytes = PeakMemoryBytes(usage);
  if (member("files").is_array()) use.outputs = files;
  use.machine = {JsonText(stats, "machine_type"), PositiveAt(stats, {"number_of_cpus"}),
                 PositiveAt(stats, {"memory_total"})};
  use.busy_percent = NumberAt(stats, {"median_user_cpu_percent_usage"});
  use.cause_kind = JsonText(cause, "kind");
  use.cause_detail = JsonText(cause, "detail");
  use.remark = UnmatchedIn(result);
  return use;
}

}  // namespace sparkles
