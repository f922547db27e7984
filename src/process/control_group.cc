#include "process/control_group.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/proc.h"
#include "process/oom_watch.h"

namespace sparkles {
namespace {

// Version 1 writes a number near 2^63 if there is no limit.
constexpr int64_t kNoLimit = int64_t{1} << 60;

// The number in a file of a control group; nullopt for "max".
std::optional<int64_t> ReadLimit(const std::string& path) {
  int64_t limit = 0;
  const std::string text = ReadProcFile(path);
  const bool is_number = absl::SimpleAtoi(absl::StripAsciiWhitespace(text), &limit);
  return is_number && limit < kNoLimit ? std::optional(limit) : std::nullopt;
}

// From the text of cpu.max: "QUOTA PERIOD", or "max PERIOD".
std::optional<double> ParseProcessors(absl::string_view text) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(absl::StripAsciiWhitespace(text), ' ');
  double quota = 0;
  double period = 0;
  if (words.size() != 2 || !absl::SimpleAtod(words[0], &quota) ||
      !absl::SimpleAtod(words[1], &period) || quota <= 0 || period <= 0) {
    return std::nullopt;
  }
  return quota / period;
}

}  // namespace

GroupLimits ReadGroupLimits(const std::string& proc_root) {
  GroupLimits limits;
  // The file that counts kills is in the group's directory.
  const std::optional<std::string> counter = FindOomCounter(
      ReadProcFile(proc_root + "/self/cgroup"), ReadProcFile(proc_root + "/self/mountinfo"));
  if (!counter) return limits;
  const std::string group = DirectoryOf(*counter);
  limits.memory_bytes = ReadLimit(group + "/memory.max");
  if (!limits.memory_bytes) limits.memory_bytes = ReadLimit(group + "/memory.limit_in_bytes");
  limits.pids = ReadLimit(group + "/pids.max");
  limits.processors = ParseProcessors(ReadProcFile(group + "/cpu.max"));
  limits.pids_running = ReadLimit(group + "/pids.current");
  return limits;
}

}  // namespace sparkles
