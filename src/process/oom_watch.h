// Detects that the kernel killed processes for lack of memory while a command ran.
// The kernel does not notify the worker of such kills. It counts them for each control group and
// for the whole machine, and its log, if readable, names the killed processes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/fd.h"

namespace sparkles {

// The path of the file that counts the kills in this process's memory control group:
// "memory.events" (v2) or "memory.oom_control" (v1). Both have a line "oom_kill". From the texts of
// /proc/self/cgroup and /proc/self/mountinfo. nullopt if there is no such group.
std::optional<std::string> FindOomCounter(absl::string_view cgroup, absl::string_view mountinfo);

// The part "Killed process 12 (name) total-vm:..., ..." of a kernel log record about a kill for
// lack of memory. nullopt for other records.
std::optional<std::string> KilledProcessOf(absl::string_view record);

struct OomKills {
  int64_t in_group = 0;    // in the worker's control group
  int64_t on_machine = 0;  // on the whole machine, including the group
  bool known = false;      // false if the kernel provides no count
  std::string victim;      // the last killed process, from the kernel's log; empty if unknown
};

// Watches one command after another. Not thread-safe.
class OomWatch {
 public:
  // `group_is_shared`: commands of other workers run in the same control group. Kills in the group
  // then count only as kills on the machine, because they may concern another command.
  explicit OomWatch(const std::string& proc_root = "/proc",
                    const std::string& kernel_log = "/dev/kmsg", bool group_is_shared = false);
  // Starts a watch: remembers the current counts.
  void Begin();
  // Checks whether the count of the control group has grown. Call it every few seconds while a
  // command runs, because the time in last_kill() is the time of this check.
  void Poll();
  // The kills since Begin.
  OomKills End();
  // The time (MonotonicNow) at which Poll or End noticed the last kill in the control group. It can
  // be before the last Begin.
  std::optional<absl::Duration> last_kill() const { return last_kill_; }

 private:
  const std::string proc_root_;
  const bool group_is_shared_;
  std::string group_file_;  // empty if there is no memory control group
  UniqueFd kernel_log_;     // invalid if the kernel's log is not readable
  std::optional<int64_t> in_group_;
  std::optional<int64_t> on_machine_;
  std::optional<int64_t> last_in_group_;
  std::optional<absl::Duration> last_kill_;
};

// The current counts, as text for OomKillsSince in a later process.
std::string OomMark(const std::string& proc_root = "/proc");

// Describes the kernel's kills for lack of memory since `mark` was made: in the mark's control
// group if that still exists, else on the machine. Empty if there were none, if the machine was
// restarted after the mark, or if the mark is malformed.
std::string OomKillsSince(absl::string_view mark, const std::string& proc_root = "/proc");

}  // namespace sparkles
