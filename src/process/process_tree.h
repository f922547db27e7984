// Counts the descendants of a process and sums their memory.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sparkles {

struct ProcessEntry {
  pid_t parent = 0;
  int64_t rss_pages = 0;
  bool zombie = false;
};
// From the text of /proc/PID/stat. The process name in it may contain any bytes.
std::optional<ProcessEntry> ParseProcessStat(absl::string_view stat);

// Reads PROC_ROOT/PID/stat. nullopt if the process does not exist.
std::optional<ProcessEntry> ReadProcess(const std::string& proc_root, pid_t pid);

// Processes that are not descendants of the root. They cannot become descendants, because the root
// adopts only orphans of its own descendants. Therefore samples skip them.
using UnrelatedPids = std::unordered_set<pid_t>;
// The unrelated process ids are forgotten after this number of samples, because the kernel may give
// the id of an ended process to a descendant. The kernel assigns ids in turn, and there are at
// least 32,768 of them, so reuse usually takes longer.
inline constexpr int kUnrelatedPidsLifetime = 16;

struct Descendant {
  pid_t pid = 0;
  ProcessEntry entry;
};

// Finds the descendants of `root`, in no order. Skips the processes in `unrelated`, and adds new
// unrelated ones to it. nullopt if `proc_root` cannot be read.
std::optional<std::vector<Descendant>> FindDescendants(const std::string& proc_root, pid_t root,
                                                       UnrelatedPids& unrelated);

struct TreeUsage {
  int64_t processes = 0;  // without zombies
  int64_t rss_kb = 0;     // a page that several processes share counts once for each
};

// Records the peaks during a command's life. The cost of a sample grows with the number of
// processes on the machine. Therefore samples become rarer when they are expensive, so that
// sampling takes at most 0.04% of one core.
class TreeSampler {
 public:
  // Samples the descendants of `root`, without `root` itself.
  TreeSampler(std::string proc_root, pid_t root);

  // Takes a sample if one is due. Returns the time until the next sample is due.
  absl::Duration SampleIfDue();
  // The largest values so far. 0 without /proc.
  const TreeUsage& peak() const { return peak_; }

 private:
  const std::string proc_root_;
  const pid_t root_;
  TreeUsage peak_;
  UnrelatedPids unrelated_;
  int samples_ = 0;
  absl::Duration next_;  // on the monotonic clock
};

// Takes one sample. `unrelated` and the result are as for FindDescendants.
std::optional<TreeUsage> MeasureTree(const std::string& proc_root, pid_t root,
                                     UnrelatedPids& unrelated);

}  // namespace sparkles
