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

absl::Duration ThreadCpuTime() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return absl::DurationFromTimespec(now);
}

enum class Relation { kDescendant, kUnrelated, kUnknown };

// Whether `pid` is a descendant of `root`. The answer is unknown if processes started or ended
// while they were listed, so that the chain of parents has a gap or a circle.
Relation RelationOf(pid_t pid, pid_t root, const Processes& processes,
                    const UnrelatedPids& unrelated) {
  for (size_t steps = 0; steps <= processes.size(); ++steps) {
    if (unrelated.contains(pid)) return Relation::kUnrelated;
    const auto found = processes.find(pid);
    if (found == processes.end()) return Relation::kUnknown;
    pid = found->second.parent;
    if (pid == root) return Relation::kDescendant;
    if (pid == 0) return Relation::kUnrelated;
  }
  return Relation::kUnknown;
}

}  // namespace

std::optional<ProcessEntry> ParseProcessStat(absl::string_view stat) {
  const size_t name_end = stat.rfind(')');
  if (name_end == absl::string_view::npos) return std::nullopt;
  // fields[0] is the third field of the file, the state. The fourth is the parent, and the 24th the
  // resident pages.
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

std::optional<std::vector<Descendant>> FindDescendants(const std::string& proc_root, pid_t root,
                                                       UnrelatedPids& unrelated) {
  Processes processes;
  const bool readable = ForEachNumber(proc_root, [&](pid_t pid) {
    if (unrelated.contains(pid)) return;
    if (const auto process = ReadProcess(proc_root, pid)) processes.emplace(pid, *process);
  });
  if (!readable) return std::nullopt;
  std::vector<Descendant> descendants;
  for (const auto& [pid, process] : processes) {
    const Relation relation =
        pid == root ? Relation::kUnknown : RelationOf(pid, root, processes, unrelated);
    if (relation == Relation::kUnrelated) unrelated.insert(pid);
    if (relation == Relation::kDescendant) descendants.push_back({pid, process});
  }
  return descendants;
}

std::optional<TreeUsage> MeasureTree(const std::string& proc_root, pid_t root,
                                     UnrelatedPids& unrelated) {
  const auto descendants = FindDescendants(proc_root, root, unrelated);
  if (!descendants) return std::nullopt;
  const int64_t page_kb = sysconf(_SC_PAGESIZE) / 1024;
  TreeUsage usage;
  for (const Descendant& descendant : *descendants) {
    if (descendant.entry.zombie) continue;
    ++usage.processes;
    usage.rss_kb += std::max<int64_t>(descendant.entry.rss_pages, 0) * page_kb;
  }
  return usage;
}

TreeSampler::TreeSampler(std::string proc_root, pid_t root)
    : proc_root_(std::move(proc_root)), root_(root), next_(MonotonicNow() + SamplePace(0)) {}

absl::Duration TreeSampler::SampleIfDue() {
  const absl::Duration now = MonotonicNow();
  if (now < next_) return next_ - now;
  const absl::Duration cpu_before = ThreadCpuTime();
  if (samples_ % kUnrelatedPidsLifetime == 0) unrelated_.clear();
  const auto usage = MeasureTree(proc_root_, root_, unrelated_);
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
