#include "process/process_tree.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/proc.h"
#include "process/monotonic.h"
#include "process/sample_pace.h"

namespace sparkles {
namespace {

using Processes = std::unordered_map<pid_t, ProcessEntry>;

// In samples. The number of a process that ended may become that of one of ours: kernels hand
// numbers out in turn, from 32,768 at least, so that it takes longer than this as a rule.
constexpr int kStrangersGoodFor = 16;

absl::Duration ThreadCpuTime() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return absl::DurationFromTimespec(now);
}

enum class Kin { kBelow, kStranger, kUnknown };

// What `pid` is to `root`. Parents form no circle and no gap, except where processes came and went
// while they were listed.
Kin KinOf(pid_t pid, pid_t root, const Processes& processes, const Strangers& strangers) {
  for (size_t steps = 0; steps <= processes.size(); ++steps) {
    if (strangers.contains(pid)) return Kin::kStranger;
    const auto found = processes.find(pid);
    if (found == processes.end()) return Kin::kUnknown;
    pid = found->second.parent;
    if (pid == root) return Kin::kBelow;
    if (pid == 0) return Kin::kStranger;
  }
  return Kin::kUnknown;
}

}  // namespace

std::optional<ProcessEntry> ParseProcessStat(absl::string_view stat) {
  const size_t name_end = stat.rfind(')');
  if (name_end == absl::string_view::npos) return std::nullopt;
  // From the third field, the state, on; the fourth is the parent, the 24th the resident pages.
  const std::vector<absl::string_view> fields =
      absl::StrSplit(stat.substr(name_end + 1), ' ', absl::SkipEmpty());
  ProcessEntry entry;
  if (fields.size() < 22 || !absl::SimpleAtoi(fields[1], &entry.parent) ||
      !absl::SimpleAtoi(fields[21], &entry.rss_pages)) {
    return std::nullopt;
  }
  entry.zombie = fields[0] == "Z" || fields[0] == "X";
  return entry;
}

std::optional<ProcessEntry> ReadProcess(const std::string& proc_root, pid_t pid) {
  char buffer[1024];
  return ParseProcessStat(
      ReadOnce(absl::StrCat(proc_root, "/", pid, "/stat"), buffer, sizeof buffer));
}

std::optional<TreeUsage> MeasureTree(const std::string& proc_root, pid_t root,
                                     Strangers& strangers) {
  Processes processes;
  const bool readable = ForEachNumber(proc_root, [&](pid_t pid) {
    if (strangers.contains(pid)) return;
    if (const auto process = ReadProcess(proc_root, pid)) processes.emplace(pid, *process);
  });
  if (!readable) return std::nullopt;
  const int64_t page_kb = sysconf(_SC_PAGESIZE) / 1024;
  TreeUsage usage;
  for (const auto& [pid, process] : processes) {
    const Kin kin = pid == root ? Kin::kUnknown : KinOf(pid, root, processes, strangers);
    if (kin == Kin::kStranger) strangers.insert(pid);
    if (process.zombie || kin != Kin::kBelow) continue;
    ++usage.processes;
    usage.rss_kb += std::max<int64_t>(process.rss_pages, 0) * page_kb;
  }
  return usage;
}

TreeSampler::TreeSampler(std::string proc_root, pid_t root)
    : proc_root_(std::move(proc_root)), root_(root), next_(MonotonicNow() + SamplePace(0)) {}

absl::Duration TreeSampler::SampleIfDue() {
  const absl::Duration now = MonotonicNow();
  if (now < next_) return next_ - now;
  const absl::Duration cpu_before = ThreadCpuTime();
  if (samples_ % kStrangersGoodFor == 0) strangers_.clear();
  const auto usage = MeasureTree(proc_root_, root_, strangers_);
  if (usage) {
    peak_.processes = std::max(peak_.processes, usage->processes);
    peak_.rss_kb = std::max(peak_.rss_kb, usage->rss_kb);
  }
  const absl::Duration cost = ThreadCpuTime() - cpu_before;
  ++samples_;
  const absl::Duration pause = std::max(SamplePace(samples_), SamplePause(samples_, cost));
  next_ = MonotonicNow() + pause;
  return pause;
}

}  // namespace sparkles
