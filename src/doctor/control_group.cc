#include "doctor/control_group.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
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
  limits.pids_running = ReadLimit(group + "/pids.current");
  return limits;
}

}  // namespace sparkles
