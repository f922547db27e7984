// Whether the kernel killed something for lack of memory while a command ran.
// The one hard idea: nobody is told of such a kill. But the kernel counts them: for each control
// group, and for the whole machine; a count that has grown is the proof. Its log, where we may read
// it, tells who it was.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/fd.h"

namespace sparkles {

// The file that counts the kills of the memory control group that we are in: "memory.events" (v2)
// or "memory.oom_control" (v1), both with a line "oom_kill". From the texts of /proc/self/cgroup
// and /proc/self/mountinfo; nothing if there is no such group.
std::optional<std::string> FindOomCounter(absl::string_view cgroup, absl::string_view mountinfo);

// "Killed process 12 (name) total-vm:..., ..." of the kernel's record, if it is about that.
std::optional<std::string> KilledProcessOf(absl::string_view record);

struct OomKills {
  int64_t in_group = 0;    // in our control group
  int64_t on_machine = 0;  // anywhere, the group's included
  bool known = false;      // whether anything counts them here
  std::string victim;      // from the kernel's log: of the last kill; empty: not known
};

// Made once; then one command after the other.
class OomWatch {
 public:
  explicit OomWatch(const std::string& proc_root = "/proc",
                    const std::string& kernel_log = "/dev/kmsg");
  // Remembers the counts of now.
  void Begin();
  // Checks whether the count of our control group has grown. Call it every few seconds while a
  // command runs: last_kill() is only as exact as that.
  void Look();
  // What has happened since Begin.
  OomKills End();
  // When Look (or End) first saw the last kill in our control group (MonotonicNow), perhaps before
  // the last Begin.
  std::optional<absl::Duration> last_kill() const { return last_kill_; }

 private:
  const std::string proc_root_;
  std::string group_file_;  // empty: none
  UniqueFd kernel_log_;     // none if we may not read it
  std::optional<int64_t> in_group_;
  std::optional<int64_t> on_machine_;
  std::optional<int64_t> last_in_group_;
  std::optional<absl::Duration> last_kill_;
};

// The current counts, as text for OomKillsSince in a later process.
std::string OomMark(const std::string& proc_root = "/proc");

// Describes the kernel's kills for lack of memory since `mark` was made: in its control group if
// that still exists, else on the machine. Empty if there were none, if the machine has been
// restarted since, or if the mark cannot be read.
std::string OomKillsSince(absl::string_view mark, const std::string& proc_root = "/proc");

}  // namespace sparkles
