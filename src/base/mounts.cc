#include "base/mounts.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cstdint>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/proc.h"

namespace sparkles {
namespace {

// Fields of a mountinfo line, from 0. A varying number of fields follows the mount point, up to a
// field "-". After that come the type, the source and the options.
constexpr size_t kRootField = 3;
constexpr size_t kPointField = 4;
constexpr absl::string_view kSeparator = " - ";

bool IsOctal(char c) { return c >= '0' && c <= '7'; }

// mountinfo writes spaces, line ends and backslashes as \ooo.
std::string Unescape(absl::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && IsOctal(text[i + 1]) && IsOctal(text[i + 2]) &&
        IsOctal(text[i + 3])) {
      const int value = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
      plain += static_cast<char>(value);
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// The kernel's id of the mount of `fd`; "" without /proc.
std::string MountOf(int fd) {
  constexpr absl::string_view kField = "mnt_id:";
  const std::string info = ReadProcFile(absl::StrCat("/proc/self/fdinfo/", fd));
  const size_t at = info.find(std::string(kField));
  return at == std::string::npos ? "" : info.substr(at, info.find('\n', at) - at);
}

}  // namespace

std::vector<Mount> ParseMounts(absl::string_view mountinfo) {
  std::vector<Mount> mounts;
  for (const absl::string_view line : absl::StrSplit(mountinfo, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(' ', 5));
    const size_t separator = line.find(kSeparator);
    if (fields.size() <= kPointField || separator == absl::string_view::npos) continue;
    const std::vector<absl::string_view> more =
        absl::StrSplit(line.substr(separator + kSeparator.size()), ' ');
    mounts.push_back({Unescape(fields[kRootField]), Unescape(fields[kPointField]),
                      Unescape(more[0]), more.size() > 2 ? Unescape(more[2]) : ""});
  }
  return mounts;
}

std::vector<Mount> ParseMountsBelow(absl::string_view mountinfo, absl::string_view directory) {
  const std::string start = directory == "/" ? "/" : absl::StrCat(directory, "/");
  std::vector<Mount> mounts = ParseMounts(mountinfo);
  std::erase_if(mounts, [&](const Mount& mount) {
    return !absl::StartsWith(mount.point, start) || mount.point.size() == start.size();
  });
  return mounts;
}

std::vector<Mount> MountsBelow(const std::string& directory) {
  return ParseMountsBelow(ReadProcFile("/proc/self/mountinfo"), directory);
}

bool IsSameMount(int one, int other) {
  struct stat first;
  struct stat second;
  return fstat(one, &first) == 0 && fstat(other, &second) == 0 && first.st_dev == second.st_dev &&
         MountOf(one) == MountOf(other);
}

bool IsOnPseudoFileSystem(int fd) {
  struct statfs info;
  if (fstatfs(fd, &info) != 0) return false;
  switch (static_cast<uint32_t>(info.f_type)) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case SECURITYFS_MAGIC:
    case SELINUX_MAGIC:
    case BPF_FS_MAGIC:
    case PSTOREFS_MAGIC:
    case EFIVARFS_MAGIC:
    case DEVPTS_SUPER_MAGIC:
    case NSFS_MAGIC:
      return true;
    default:
      return false;
  }
}

}  // namespace sparkles
