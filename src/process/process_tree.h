// All processes below one: how many they are and what memory they have together, at this moment.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sparkles {

struct ProcessEntry {
  pid_t parent = 0;
  int64_t rss_pages = 0;
  bool zombie = false;
};
// From the text of /proc/PID/stat, in which the name may hold anything.
std::optional<ProcessEntry> ParseProcessStat(absl::string_view stat);

// From PROC_ROOT/PID/stat.
std::optional<ProcessEntry> ReadProcess(const std::string& proc_root, pid_t pid);

struct TreeUsage {
  int64_t processes = 0;  // zombies not counted
  int64_t rss_kb = 0;     // pages that several share are counted for each
};

// Processes that are not below the root and can never come there, since the root takes in only what
// its own leave behind. They need not be looked at again as long as they live.
using Strangers = std::unordered_set<pid_t>;

// Peaks over a command's life. Samples cost time that grows with the number of processes that can
// be seen, so they become rarer where there are many: sampling takes at most 0.04% of one
// core.
class TreeSampler {
 public:
  // The processes below `root`, which is not counted itself.
  TreeSampler(std::string proc_root, pid_t root);

  // Takes a sample if it is time for one. Returns how long it is until the next.
  absl::Duration SampleIfDue();
  // The largest that were seen. 0 where there is no /proc.
  const TreeUsage& peak() const { return peak_; }

 private:
  const std::string proc_root_;
  const pid_t root_;
  TreeUsage peak_;
  Strangers strangers_;
  int samples_ = 0;
  absl::Duration next_;  // on the monotonic clock
};

// One sample. Nothing if `proc_root` cannot be read. Leaves `strangers` out and adds those it
// finds.
std::optional<TreeUsage> MeasureTree(const std::string& proc_root, pid_t root,
                                     Strangers& strangers);

}  // namespace sparkles
