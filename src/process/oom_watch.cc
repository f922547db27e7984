#include "process/oom_watch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/mounts.h"
#include "base/proc.h"
#include "process/monotonic.h"

namespace sparkles {
namespace {

// A machine that is short of memory may log very many records.
constexpr int kMaxKernelRecords = 10'000;

bool HasWord(absl::string_view list, absl::string_view word) {
  const std::vector<absl::string_view> words = absl::StrSplit(list, ',');
  return std::find(words.begin(), words.end(), word) != words.end();
}

// This process's path in the hierarchy of `controller`. An empty `controller` means version 2.
std::optional<absl::string_view> GroupPath(absl::string_view cgroup, absl::string_view controller) {
  for (const absl::string_view line : absl::StrSplit(cgroup, '\n')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    if (controller.empty() ? parts[1].empty() : HasWord(parts[1], controller)) return parts[2];
  }
  return std::nullopt;
}

// The directory of the group `path` below `mount`. nullopt if the mount does not show the group: a
// container may see only its own group, at the mount point.
std::optional<std::string> GroupDirectory(const Mount& mount, absl::string_view path) {
  if (mount.root != "/" && !absl::ConsumePrefix(&path, mount.root)) return std::nullopt;
  return absl::StrCat(mount.point, path == "/" ? "" : path);
}

// 0 if the earlier count is unknown, because the kills may have happened before it.
int64_t Growth(const std::optional<int64_t>& before, const std::optional<int64_t>& after) {
  return before && after ? std::max<int64_t>(*after - *before, 0) : 0;
}

std::string FindGroupFile(const std::string& proc_root) {
  return FindOomCounter(ReadProcFile(proc_root + "/self/cgroup"),
                        ReadProcFile(proc_root + "/self/mountinfo"))
      .value_or("");
}

std::optional<int64_t> ReadGroupCount(const std::string& group_file) {
  if (group_file.empty()) return std::nullopt;
  return FindNumber(ReadProcFile(group_file), "oom_kill");
}

std::optional<int64_t> ReadMachineCount(const std::string& proc_root) {
  return FindNumber(ReadProcFile(proc_root + "/vmstat"), "oom_kill");
}

// Identifies a control group. A later group with the same path has another id.
std::string GroupId(const std::string& group_file) {
  struct stat info;
  if (group_file.empty() || stat(group_file.c_str(), &info) != 0) return "-";
  return absl::StrCat(info.st_dev, ":", info.st_ino);
}

// A mark: "BOOT GROUP COUNT_IN_GROUP COUNT_ON_MACHINE", with "-" for an unknown part.
struct Mark {
  std::string boot;
  std::string group;
  std::optional<int64_t> in_group;
  std::optional<int64_t> on_machine;
};

Mark CurrentMark(const std::string& proc_root) {
  const std::string group_file = FindGroupFile(proc_root);
  const std::string boot(
      absl::StripAsciiWhitespace(ReadProcFile(proc_root + "/sys/kernel/random/boot_id")));
  return {boot.empty() ? "-" : boot, GroupId(group_file), ReadGroupCount(group_file),
          ReadMachineCount(proc_root)};
}

std::string CountText(const std::optional<int64_t>& count) {
  return count ? absl::StrCat(*count) : "-";
}

std::optional<int64_t> ParseCount(absl::string_view text) {
  int64_t count = 0;
  return absl::SimpleAtoi(text, &count) ? std::optional(count) : std::nullopt;
}

}  // namespace

std::optional<std::string> FindOomCounter(absl::string_view cgroup, absl::string_view mountinfo) {
  const std::optional<absl::string_view> old_path = GroupPath(cgroup, "memory");
  const std::optional<absl::string_view> new_path = GroupPath(cgroup, "");
  for (const Mount& mount : ParseMounts(mountinfo)) {
    const bool is_old = mount.type == "cgroup" && HasWord(mount.options, "memory");
    // Version 2 has no memory controller where version 1 has it.
    const bool is_new = mount.type == "cgroup2" && !old_path;
    std::optional<std::string> directory;
    if (is_old && old_path) directory = GroupDirectory(mount, *old_path);
    if (is_new && new_path) directory = GroupDirectory(mount, *new_path);
    if (directory)
      return absl::StrCat(*directory, is_old ? "/memory.oom_control" : "/memory.events");
  }
  return std::nullopt;
}

std::optional<std::string> KilledProcessOf(absl::string_view record) {
  const size_t start = record.find("Killed process ");
  if (start == absl::string_view::npos || !absl::StrContains(record, "emory")) return std::nullopt;
  absl::string_view text = record.substr(start);
  return std::string(absl::StripAsciiWhitespace(text.substr(0, text.find('\n'))));
}

OomWatch::OomWatch(const std::string& proc_root, const std::string& kernel_log,
                   bool group_is_shared)
    : proc_root_(proc_root),
      group_is_shared_(group_is_shared),
      group_file_(FindGroupFile(proc_root)),
      kernel_log_(open(kernel_log.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}

void OomWatch::Begin() {
  if (kernel_log_.valid()) lseek(kernel_log_.get(), 0, SEEK_END);
  in_group_ = last_in_group_ = ReadGroupCount(group_file_);
  on_machine_ = ReadMachineCount(proc_root_);
}

void OomWatch::Poll() {
  const std::optional<int64_t> in_group = ReadGroupCount(group_file_);
  if (!group_is_shared_ && Growth(last_in_group_, in_group) > 0) last_kill_ = MonotonicNow();
  last_in_group_ = in_group;
}

OomKills OomWatch::End() {
  Poll();
  OomKills kills;
  const std::optional<int64_t> in_group = last_in_group_;
  const std::optional<int64_t> on_machine = ReadMachineCount(proc_root_);
  kills.in_group = Growth(in_group_, in_group);
  kills.on_machine = std::max(Growth(on_machine_, on_machine), kills.in_group);
  if (group_is_shared_) kills.in_group = 0;
  kills.known = (in_group_ && in_group) || (on_machine_ && on_machine);
  if (kills.on_machine == 0 || !kernel_log_.valid()) return kills;
  // Each read returns one record. EPIPE means that the kernel overwrote records before the read.
  char record[8192];
  for (int i = 0; i < kMaxKernelRecords; ++i) {
    const ssize_t got = read(kernel_log_.get(), record, sizeof record);
    if (got < 0 && (errno == EPIPE || errno == EINTR)) continue;
    if (got <= 0) break;
    const auto victim = KilledProcessOf({record, static_cast<size_t>(got)});
    if (victim) kills.victim = *victim;
  }
  return kills;
}

std::string OomMark(const std::string& proc_root) {
  const Mark mark = CurrentMark(proc_root);
  return absl::StrCat(mark.boot, " ", mark.group, " ", CountText(mark.in_group), " ",
                      CountText(mark.on_machine));
}

std::string OomKillsSince(absl::string_view mark, const std::string& proc_root) {
  const std::vector<absl::string_view> parts = absl::StrSplit(mark, ' ');
  const Mark now = CurrentMark(proc_root);
  if (parts.size() != 4 || parts[0] == "-" || parts[0] != now.boot) return "";
  const int64_t in_group = parts[1] == now.group ? Growth(ParseCount(parts[2]), now.in_group) : 0;
  const int64_t on_machine = Growth(ParseCount(parts[3]), now.on_machine);
  if (in_group == 0 && on_machine == 0) return "";
  return absl::StrCat("out of memory: processes that the kernel has killed since then: ",
                      in_group > 0 ? in_group : on_machine,
                      in_group > 0 ? " in its control group" : " on this machine");
}

}  // namespace sparkles
