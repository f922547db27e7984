#include "process/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/fd.h"
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

std::optional<ProcessEntry> ReadProcess(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[1024];
  const ssize_t got = fd.valid() ? read(fd.get(), buffer, sizeof buffer) : -1;
  if (got <= 0) return std::nullopt;
  return ParseProcessStat({buffer, static_cast<size_t>(got)});
}

// Whether `pid` is below `root`. Parents form no circle, except where processes came and went while
// they were listed.
bool IsBelow(const Processes& processes, pid_t pid, pid_t root) {
  for (size_t steps = 0; steps <= processes.size(); ++steps) {
    const auto found = processes.find(pid);
    if (found == processes.end()) return false;
    pid = found->second.parent;
    if (pid == root) return true;
  }
  return false;
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

std::optional<TreeUsage> MeasureTree(const std::string& proc_root, pid_t root) {
  DIR* const folder = opendir(proc_root.c_str());
  if (folder == nullptr) return std::nullopt;
  Processes processes;
  while (const dirent* entry = readdir(folder)) {  // NOLINT(concurrency-mt-unsafe): own stream
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry->d_name, &pid) || pid <= 0) continue;
    const auto process = ReadProcess(absl::StrCat(proc_root, "/", pid, "/stat"));
    if (process) processes.emplace(pid, *process);
  }
  closedir(folder);
  const int64_t page_kb = sysconf(_SC_PAGESIZE) / 1024;
  TreeUsage usage;
  for (const auto& [pid, process] : processes) {
    if (process.zombie || !IsBelow(processes, pid, root)) continue;
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
  const auto usage = MeasureTree(proc_root_, root_);
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
