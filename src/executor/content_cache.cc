#include "executor/content_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/copy.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "executor/cache_eviction.h"

namespace sparkles {
namespace {

constexpr mode_t kEntryMode = 0444;
constexpr size_t kMaxRecordBytes = 1000;

std::string HashOf(absl::string_view url) { return absl::AsciiStrToLower(BaseName(url)); }

// An error in the cache directory is never the task's fault.
absl::Status DirectoryFault(const absl::Status& status) {
  return MachineFault(Annotate(status, "cache"));
}

absl::StatusOr<struct stat> StatOf(int fd, absl::string_view name) {
  struct stat info;
  if (fstat(fd, &info) != 0) return DirectoryFault(ErrnoError(errno, name));
  return info;
}

// Changes with each write to the file, even if the writer sets mtime back.
std::string StampOf(const struct stat& info) {
  return absl::StrCat(info.st_size, " ", absl::ToUnixNanos(absl::TimeFromTimespec(info.st_mtim)),
                      " ", absl::ToUnixNanos(absl::TimeFromTimespec(info.st_ctim)), " ",
                      info.st_ino);
}

}  // namespace

ContentCache::ContentCache(std::string directory, ObjectStore& store, Clock& clock,
                           WorkerMetrics* metrics, const Log* log, const std::string& boot_id_path)
    : directory_(std::move(directory)),
      store_(store),
      clock_(clock),
      metrics_(metrics),
      log_(log),
      boot_id_(absl::StripAsciiWhitespace(ReadFile(boot_id_path, 100).value_or(""))) {
  RemoveLeftovers(directory_, clock_.Now());
}

absl::Status ContentCache::Copy(const std::string& url, const std::string& dst, mode_t mode,
                                const Activity& activity) {
  // A task with write access may change the entry during the copy. Then the entry is checked again.
  for (int tries = 0; tries < 2; ++tries) {
    ASSIGN_OR_RETURN(const std::optional<Entry> entry, Find(url, activity));
    if (!entry.has_value()) {
      ASSIGN_OR_RETURN(AtomicFile file, Download(url, dst, mode, activity));
      return file.Commit(/*durable=*/false);
    }
    const absl::Status copied = RetryAfterEviction(DirectoryOf(dst), activity, [&] {
      return CopyEntry(*entry, HashOf(url), dst, mode, activity);
    });
    if (!absl::IsAborted(copied)) return copied;
  }
  // Another task changes the entry, so this is not the fault of the task that needs the copy.
  return DirectoryFault(absl::AbortedError(absl::StrCat(url, ": its copy there is being changed")));
}

absl::Status ContentCache::CopyEntry(const Entry& entry, const std::string& hash,
                                     const std::string& dst, mode_t mode,
                                     const Activity& activity) {
  ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(dst, mode));
  const auto copied = CopyContent(entry.fd.get(), file.fd(), nullptr, activity);
  if (!copied.ok()) return Annotate(copied.status(), dst);
  ASSIGN_OR_RETURN(const struct stat info, StatOf(entry.fd.get(), entry.path));
  if (StampOf(info) != StampOf(entry.seen)) {
    // The content may be unchanged: an eviction changes the ctime, too.
    ASSIGN_OR_RETURN(const std::string found,
                     HashContent(file.fd(), static_cast<int64_t>(*copied), dst, activity));
    if (found != hash) return absl::AbortedError(absl::StrCat(entry.path, ": was changed"));
  }
  return file.Commit(/*durable=*/false);
}

absl::StatusOr<CacheUse> ContentCache::OpenUse() const {
  RETURN_IF_ERROR(MakeDirectories(directory_));
  return CacheUse::Open(directory_);
}

absl::StatusOr<std::optional<std::string>> ContentCache::Fetch(const std::string& url,
                                                               const Activity& activity,
                                                               CacheUse* use) {
  // Held before the search, so that the entry cannot be removed in between.
  if (use != nullptr) {
    const absl::Status held = use->Hold(HashOf(url), clock_, activity);
    if (absl::IsCancelled(held)) return held;
    if (!held.ok()) {
      if (log_ != nullptr) {
        log_->Warning(directory_, ": ", held.message(), "; this input is copied instead of linked");
      }
      return std::nullopt;
    }
  }
  ASSIGN_OR_RETURN(const std::optional<Entry> entry, Find(url, activity));
  if (!entry.has_value()) return std::nullopt;
  return entry->path;
}

absl::StatusOr<bool> ContentCache::DropIfChanged(const std::string& url, const Activity& activity) {
  const std::string hash = HashOf(url);
  ASSIGN_OR_RETURN(const std::optional<Entry> trusted, OpenTrusted(hash));
  if (trusted.has_value()) return false;
  ASSIGN_OR_RETURN(const EntryLock lock, LockEntry(hash, activity));
  ASSIGN_OR_RETURN(const std::optional<Entry> checked, OpenChecked(hash, activity));
  return !checked.has_value();
}

absl::StatusOr<std::optional<ContentCache::Entry>> ContentCache::Find(const std::string& url,
                                                                      const Activity& activity) {
  const std::string hash = HashOf(url);
  ASSIGN_OR_RETURN(std::optional<Entry> trusted, OpenTrusted(hash));
  if (trusted.has_value()) {
    Count(&WorkerMetrics::cache_hits);
    return trusted;
  }
  const auto lock = LockEntry(hash, activity);
  if (absl::IsDeadlineExceeded(lock.status())) {
    WarnOfWait(lock.status());
    return std::nullopt;
  }
  RETURN_IF_ERROR(lock.status());
  const Activity locked(activity, [&lock](uint64_t) { lock->Touch(); });
  ASSIGN_OR_RETURN(std::optional<Entry> checked, OpenChecked(hash, locked));
  Count(checked.has_value() ? &WorkerMetrics::cache_hits : &WorkerMetrics::cache_misses);
  if (checked.has_value()) return checked;
  ASSIGN_OR_RETURN(Entry filled, Fill(url, hash, locked));
  return std::optional<Entry>(std::move(filled));
}

void ContentCache::WarnOfWait(const absl::Status& status) const {
  if (log_ != nullptr) log_->Warning(status.message(), "; this input is fetched past the cache");
}

absl::StatusOr<EntryLock> ContentCache::LockEntry(const std::string& hash,
                                                  const Activity& activity) {
  const absl::Status made = MakeDirectories(directory_);
  if (!made.ok()) return DirectoryFault(made);
  auto lock = EntryLock::Take(PathOf(hash), clock_, activity, log_);
  const bool waited = absl::IsCancelled(lock.status()) || absl::IsDeadlineExceeded(lock.status());
  if (lock.ok() || waited) return lock;
  return DirectoryFault(lock.status());
}

absl::StatusOr<std::optional<ContentCache::Entry>> ContentCache::OpenEntry(
    const std::string& hash) const {
  const std::string path = PathOf(hash);
  auto fd = OpenFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (absl::IsNotFound(fd.status())) return std::nullopt;
  // A task may have replaced the entry by another kind of file, or made it unreadable through its
  // link. Neither is an entry.
  if (!fd.ok()) {
    struct stat found;
    if (lstat(path.c_str(), &found) == 0 &&
        (!S_ISREG(found.st_mode) || absl::IsPermissionDenied(fd.status()))) {
      return std::nullopt;
    }
    return DirectoryFault(fd.status());
  }
  ASSIGN_OR_RETURN(const struct stat info, StatOf(fd->get(), path));
  if (!S_ISREG(info.st_mode)) return std::nullopt;
  return Entry{path, *std::move(fd), info};
}

absl::StatusOr<std::optional<ContentCache::Entry>> ContentCache::OpenTrusted(
    const std::string& hash) const {
  ASSIGN_OR_RETURN(std::optional<Entry> entry, OpenEntry(hash));
  if (!entry.has_value() || boot_id_.empty()) return std::nullopt;
  // Without a readable record, the content is checked.
  const auto record = ReadFile(RecordPathOf(hash), kMaxRecordBytes);
  if (!record.ok() || *record != RecordOf(*entry)) return std::nullopt;
  // The time of the last use, for eviction.
  (void)utimensat(AT_FDCWD, RecordPathOf(hash).c_str(), nullptr, 0);
  return entry;
}

absl::StatusOr<std::optional<ContentCache::Entry>> ContentCache::OpenChecked(
    const std::string& hash, const Activity& activity) {
  ASSIGN_OR_RETURN(std::optional<Entry> trusted, OpenTrusted(hash));
  if (trusted.has_value()) return trusted;
  ASSIGN_OR_RETURN(std::optional<Entry> entry, OpenEntry(hash));
  if (entry.has_value()) {
    ASSIGN_OR_RETURN(const bool has_content, HasContent(*entry, hash, activity));
    if (has_content) return entry;
  }
  const absl::Status removed = RemoveTree(PathOf(hash));
  if (!removed.ok()) return DirectoryFault(removed);
  unlink(RecordPathOf(hash).c_str());
  return std::nullopt;
}

absl::StatusOr<bool> ContentCache::HasContent(const Entry& entry, const std::string& hash,
                                              const Activity& activity) {
  const absl::Time start = clock_.Now();
  const auto found = HashContent(entry.fd.get(), entry.seen.st_size, entry.path, activity);
  if (absl::IsAborted(found.status())) return false;  // the file has become shorter
  if (!found.ok()) return found.status();
  ASSIGN_OR_RETURN(const struct stat now, StatOf(entry.fd.get(), entry.path));
  if (*found != hash || StampOf(now) != StampOf(entry.seen)) return false;
  if (start - absl::TimeFromTimespec(entry.seen.st_ctim) > kTimestampTick) {
    // Errors are ignored: without a record the next use checks the content again.
    (void)WriteFileAtomically(RecordPathOf(hash), RecordOf(entry), /*durable=*/false);
  }
  return true;
}

// Aborted if the file is shorter than `size`.
absl::StatusOr<std::string> ContentCache::HashContent(int fd, int64_t size, absl::string_view name,
                                                      const Activity& activity) {
  Hasher hasher(HashKind::kSha256);
  const auto add_piece = [&](absl::string_view piece) {
    hasher.Update(piece);
    return activity.ReportWork();
  };
  absl::Status status = ReadPieces(fd, static_cast<uint64_t>(size), add_piece);
  if (status.ok()) return hasher.HexDigest();
  if (absl::IsCancelled(status) || absl::IsAborted(status)) return status;
  return DirectoryFault(Annotate(status, name));
}

void ContentCache::Count(Counter WorkerMetrics::* counter) {
  if (metrics_ != nullptr) (metrics_->*counter).Add();
}

absl::StatusOr<ContentCache::Entry> ContentCache::Fill(const std::string& url,
                                                       const std::string& hash,
                                                       const Activity& activity) {
  ASSIGN_OR_RETURN(AtomicFile file, Download(url, PathOf(hash), kEntryMode, activity));
  return Publish(file);
}

absl::StatusOr<AtomicFile> ContentCache::Download(const std::string& url, const std::string& path,
                                                  mode_t mode, const Activity& activity) {
  std::string found;
  for (int tries = 0; tries < 2; ++tries) {
    std::optional<AtomicFile> file;
    RETURN_IF_ERROR(RetryAfterEviction(DirectoryOf(path), activity, [&] {
      file.reset();
      auto made = AtomicFile::Create(path, mode);
      if (!made.ok())
        return DirectoryOf(path) == directory_ ? DirectoryFault(made.status()) : made.status();
      file.emplace(*std::move(made));
      MarkInUse(file->fd());
      return store_.Download(url, file->fd(), activity).status();
    }));
    ASSIGN_OR_RETURN(const struct stat info, StatOf(file->fd(), path));
    ASSIGN_OR_RETURN(found, HashContent(file->fd(), info.st_size, path, activity));
    if (found == HashOf(url)) return *std::move(file);
  }
  return absl::DataLossError(
      absl::StrCat(url, ": its content has the SHA-256 ", found, " and not the one in its name"));
}

absl::Status ContentCache::RetryAfterEviction(const std::string& directory,
                                              const Activity& activity,
                                              absl::FunctionRef<absl::Status()> write) {
  absl::Status status;
  // Repeated, because other workers can fill the freed space. The limit ends a contest with them.
  for (int tries = 0; tries < 10; ++tries) {
    const int evictions_before = EvictionCount();
    status = write();
    if (!IsDiskFull(status) || !OnSameFileSystem(directory, directory_) ||
        !EvictForSpace(evictions_before, activity))
      break;
  }
  return status;
}

int ContentCache::EvictionCount() {
  MutexLock lock(evict_mutex_);
  return evictions_;
}

bool ContentCache::EvictForSpace(int evictions_before, const Activity& activity) {
  MutexLock lock(evict_mutex_);
  if (evictions_ != evictions_before) return true;
  const Evicted evicted = EvictEntries(directory_, UINT64_MAX, 0, activity);
  if (evicted.entries == 0) return false;
  ++evictions_;
  if (log_ != nullptr) {
    log_->Info("the disk is full: removed ", evicted.entries, " inputs (", evicted.bytes >> 20,
               " MiB) from the cache");
  }
  return true;
}

absl::StatusOr<ContentCache::Entry> ContentCache::Publish(AtomicFile& file) {
  const std::string path = file.path();
  // Not subject to the umask, because tasks of another user need to read the entry.
  if (fchmod(file.fd(), kEntryMode) != 0) return DirectoryFault(ErrnoError(errno, path));
  UniqueFd fd(fcntl(file.fd(), F_DUPFD_CLOEXEC, 0));
  if (!fd.valid()) return DirectoryFault(ErrnoError(errno, path));
  const absl::Status committed = file.Commit(/*durable=*/false);
  if (!committed.ok()) return DirectoryFault(committed);
  ASSIGN_OR_RETURN(const struct stat info, StatOf(fd.get(), path));
  return Entry{path, std::move(fd), info};
}

std::string ContentCache::PathOf(const std::string& hash) const {
  return absl::StrCat(directory_, "/", hash);
}

std::string ContentCache::RecordPathOf(const std::string& hash) const {
  return absl::StrCat(PathOf(hash), kRecordSuffix);
}

std::string ContentCache::RecordOf(const Entry& entry) const {
  return absl::StrCat(StampOf(entry.seen), " ", boot_id_, "\n");
}

}  // namespace sparkles
