#include "executor/cache_eviction.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/directory.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/status.h"
#include "executor/cache_use.h"
#include "executor/entry_lock.h"

namespace sparkles {
namespace {

// A record without an entry is a leftover after this time. A worker that replaces an entry needs
// less.
constexpr absl::Duration kOrphanRecordAge = absl::Hours(1);

struct Candidate {
  bool is_there = false;  // false if only the record exists
  uint64_t bytes = 0;
  absl::Time used = absl::InfinitePast();
};

// All entries, or some of them if `activity` is cancelled.
std::map<std::string, Candidate> FindEntries(const std::string& directory,
                                             const Activity& activity) {
  std::map<std::string, Candidate> entries;
  const auto fd = OpenFile(directory, O_RDONLY | O_DIRECTORY);
  if (!fd.ok()) return entries;
  (void)ForEachEntry(fd->get(), directory, [&](const char* file, unsigned char) {
    RETURN_IF_ERROR(activity.ReportWork());
    absl::string_view name = file;
    const bool record = absl::ConsumeSuffix(&name, kRecordSuffix);
    struct stat info;
    if (!IsEntryName(name) || fstatat(fd->get(), file, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(info.st_mode)) {
      return absl::OkStatus();
    }
    Candidate& candidate = entries[std::string(name)];
    candidate.used = std::max(candidate.used, absl::TimeFromTimespec(info.st_mtim));
    if (record) return absl::OkStatus();
    candidate.is_there = true;
    candidate.bytes = static_cast<uint64_t>(info.st_blocks) * 512;
    return absl::OkStatus();
  });
  return entries;
}

}  // namespace

Evicted EvictEntries(const std::string& directory, uint64_t bytes, uint64_t limit,
                     const Activity& activity) {
  Evicted evicted;
  const std::map<std::string, Candidate> entries = FindEntries(directory, activity);
  std::vector<std::map<std::string, Candidate>::const_iterator> oldest_first;
  for (auto entry = entries.begin(); entry != entries.end(); ++entry) {
    evicted.bytes_left += entry->second.bytes;
    oldest_first.push_back(entry);
  }
  if (bytes == 0 && evicted.bytes_left <= limit) return evicted;
  absl::StatusOr<CacheUse> use = CacheUse::Open(directory);
  evicted.locks = use.status();
  if (!use.ok()) return evicted;
  std::sort(oldest_first.begin(), oldest_first.end(), [](const auto& one, const auto& other) {
    return one->second.used < other->second.used;
  });
  for (const auto& entry : oldest_first) {
    if (evicted.bytes >= bytes && evicted.bytes_left <= limit) break;
    if (!activity.ReportWork().ok()) break;
    const std::string path = absl::StrCat(directory, "/", entry->first);
    const std::string record = absl::StrCat(path, kRecordSuffix);
    if (!entry->second.is_there) {
      if (absl::Now() - entry->second.used > kOrphanRecordAge) unlink(record.c_str());
      continue;
    }
    if (!use->TryLockForRemoval(entry->first)) continue;
    // A kill here leaves the record, which is valid for no other file.
    if (unlink(path.c_str()) == 0) {
      unlink(record.c_str());
      ++evicted.entries;
      evicted.bytes += entry->second.bytes;
      evicted.bytes_left -= entry->second.bytes;
    }
    use->Release(entry->first);
  }
  return evicted;
}

bool OnSameFileSystem(const std::string& one, const std::string& other) {
  struct stat first;
  struct stat second;
  return stat(one.c_str(), &first) == 0 && stat(other.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev;
}

}  // namespace sparkles
