#include "executor/stager.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/copy.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/file_id.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "base/path.h"
#include "base/status.h"

namespace sparkles {
namespace {

bool SameFile(const struct stat& a, const struct stat& b) {
  // ctime cannot be set back, so an edit that restores mtime still shows.
  return IdOf(a) == IdOf(b) && a.st_size == b.st_size && a.st_ctim.tv_sec == b.st_ctim.tv_sec &&
         a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

// True for errors of symlink(2) that mean that the file system has no symlinks.
bool IsRefusal(int error) { return error == EPERM || error == EOPNOTSUPP || error == ENOSYS; }

absl::StatusOr<uint32_t> Crc32cOfFile(int fd, uint64_t size, const Activity& activity) {
  uint32_t crc = 0;
  RETURN_IF_ERROR(ReadPieces(fd, size, [&](absl::string_view piece) {
    crc = ExtendCrc32c(crc, piece);
    return activity.ReportWork();
  }));
  return crc;
}

}  // namespace

absl::StatusOr<std::vector<StagedInput>> Stager::Stage(const std::vector<Download>& downloads,
                                                       const std::string& work_directory,
                                                       const Activity& activity, const Log& log) {
  const Activity staging(activity, [this](uint64_t bytes) { current_.AddBytes(bytes); });
  // Without locks, entries can be removed at any time. Then all inputs are copies.
  if (auto use = cache_.OpenUse(); use.ok()) use_.emplace(*std::move(use));
  std::vector<std::optional<StagedInput>> staged(downloads.size());
  RETURN_IF_ERROR(ParallelFor(downloads.size(), transfers_, [&](size_t i) {
    const Download& download = downloads[i];
    auto one = StageOne(download, work_directory, staging);
    if (!one.ok()) return Annotate(one.status(), absl::StrCat("downloads: ", download.dst));
    if (!one->has_value()) log.Info(download.dst, " is there already: not downloaded");
    staged[i] = *std::move(one);
    current_.AddFile();
    return absl::OkStatus();
  }));
  const absl::Time end = clock_.Now();
  std::vector<StagedInput> inputs;
  for (auto& one : staged) {
    if (!one.has_value()) continue;
    one->aged = end - absl::TimeFromTimespec(one->seen.st_ctim) > kTimestampTick;
    inputs.push_back(*std::move(one));
  }
  return inputs;
}

absl::StatusOr<std::optional<StagedInput>> Stager::StageOne(const Download& download,
                                                            const std::string& work_directory,
                                                            const Activity& activity) {
  RETURN_IF_ERROR(activity.ReportWait());
  const std::string path = absl::StrCat(work_directory, "/", download.dst);
  const std::string directory = DirectoryOf(path);
  RETURN_IF_ERROR(CheckInside(work_directory, directory));
  struct stat info;
  if (lstat(path.c_str(), &info) == 0) return std::optional<StagedInput>();
  RETURN_IF_ERROR(MakeDirectories(directory));
  StagedInput staged;
  staged.download = download;
  // An executable input is copied, because a cache entry has no execute bits.
  staged.symlink = download.is_cas_key && download.symlink_safe && !download.executable && use_;
  RETURN_IF_ERROR(PlaceInput(download, path, staged, activity));
  if (stat(path.c_str(), &staged.seen) != 0) return ErrnoError(errno, path);
  return std::optional<StagedInput>(std::move(staged));
}

absl::Status Stager::PlaceInput(const Download& download, const std::string& path,
                                StagedInput& staged, const Activity& activity) {
  const mode_t mode = download.executable ? 0777 : 0666;
  if (staged.symlink) {
    ASSIGN_OR_RETURN(const auto entry, cache_.Fetch(download.src_url, activity, &*use_));
    if (entry && symlink(entry->c_str(), path.c_str()) == 0) return absl::OkStatus();
    if (entry && !IsRefusal(errno)) return ErrnoError(errno, path);
    staged.symlink = false;
  }
  if (download.is_cas_key) return cache_.Copy(download.src_url, path, mode, activity);
  // Unused cache entries are evicted if the disk is full.
  return cache_.RetryAfterEviction(DirectoryOf(path), activity, [&] {
    return Fetch(download.src_url, path, mode, staged, activity);
  });
}

absl::Status Stager::Fetch(const std::string& url, const std::string& path, mode_t mode,
                           StagedInput& staged, const Activity& activity) {
  ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path, mode));
  ASSIGN_OR_RETURN(const ObjectInfo info, store_.Download(url, file.fd(), activity));
  staged.crc32c = info.crc32c;
  return file.Commit(/*durable=*/false);
}

absl::StatusOr<std::vector<std::string>> Stager::DetectChangedInputs(
    std::vector<StagedInput>& inputs, const std::string& work_directory, const Activity& activity,
    const Log& log) {
  std::vector<std::string> unchanged;
  for (StagedInput& input : inputs) {
    const std::string path = absl::StrCat(work_directory, "/", input.download.dst);
    ASSIGN_OR_RETURN(const bool same, IsUnchanged(input, path, activity));
    input.changed = !same;
    if (same) {
      unchanged.push_back(input.download.dst);
    } else if (input.symlink) {
      const absl::Status detached = ReplaceLinkWithCopy(path, activity);
      // The task need not fail for a file that cannot be read, because the delivery will skip it.
      // After other errors it fails, because the delivery might read the original from the entry.
      if (absl::IsPermissionDenied(detached)) {
        log.Warning(input.download.dst, " stays a link into the cache: ", detached.message());
      } else if (!detached.ok()) {
        const absl::Status failed = Annotate(detached, "changed input");
        // The command has filled the disk, so this is not a machine fault.
        return absl::IsResourceExhausted(failed) ? WithoutMarks(failed) : failed;
      }
    }
  }
  std::sort(unchanged.begin(), unchanged.end());
  return unchanged;
}

absl::StatusOr<bool> Stager::IsUnchanged(const StagedInput& input, const std::string& path,
                                         const Activity& activity) {
  struct stat now;
  if (stat(path.c_str(), &now) != 0) {
    absl::Status error = ErrnoError(errno, path);
    return IsMachineFault(error) ? absl::StatusOr<bool>(std::move(error)) : false;
  }
  if (input.aged && SameFile(now, input.seen)) return true;
  if (!S_ISREG(now.st_mode) || now.st_size != input.seen.st_size) return false;
  // The file was touched or replaced, but may have the same content. So the content decides.
  const absl::StatusOr<UniqueFd> fd = OpenFile(path, O_RDONLY | O_NONBLOCK);
  if (!fd.ok()) return IsMachineFault(fd.status()) ? absl::StatusOr<bool>(fd.status()) : false;
  if (input.download.is_cas_key) {
    ASSIGN_OR_RETURN(const std::string hash,
                     HashFile(HashKind::kSha256, fd->get(), path, activity));
    return hash == absl::AsciiStrToLower(BaseName(input.download.src_url));
  }
  ASSIGN_OR_RETURN(const uint32_t crc,
                   Crc32cOfFile(fd->get(), static_cast<uint64_t>(now.st_size), activity));
  return crc == input.crc32c;
}

absl::Status Stager::ReplaceLinkWithCopy(const std::string& path, const Activity& activity) {
  struct stat now;
  const bool linked = lstat(path.c_str(), &now) == 0 && S_ISLNK(now.st_mode);
  if (!linked || stat(path.c_str(), &now) != 0 || !S_ISREG(now.st_mode)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const UniqueFd from, OpenFile(path, O_RDONLY | O_NONBLOCK));
  ASSIGN_OR_RETURN(AtomicFile copy, AtomicFile::Create(path));
  auto copied = CopyContent(from.get(), copy.fd(), nullptr, activity);
  if (!copied.ok()) return Annotate(copied.status(), path);
  return copy.Commit(/*durable=*/false);
}

void Stager::DropChanged(const std::vector<StagedInput>& inputs, const Activity& activity,
                         const Log& log) {
  for (const StagedInput& input : inputs) {
    if (!input.symlink || !input.changed) continue;
    const auto dropped = cache_.DropIfChanged(input.download.src_url, activity);
    if (absl::IsCancelled(dropped.status())) return;
    if (!dropped.ok()) {
      log.Warning(input.download.dst, ": ", dropped.status().message());
    } else if (*dropped) {
      log.Warning(input.download.dst,
                  " is shared with other tasks (symlink_safe) and was changed by this one: dropped "
                  "from the cache");
    }
  }
}

}  // namespace sparkles
