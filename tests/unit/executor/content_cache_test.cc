#include "executor/content_cache.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/hash.h"
#include "base/status.h"
#include "executor/cache_eviction.h"
#include "tests/support/failing_store.h"
#include "tests/support/mem_store.h"
#include "tests/support/recorded_log.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::HasSubstr;

// A clock in the future, so that every time stamp on the disk is old.
class LateClock : public Clock {
 public:
  absl::Time Now() override { return absl::Now() + lead; }
  bool Sleep(absl::Duration, const CancelToken&) override { return true; }
  absl::Duration lead = absl::Minutes(1);
};

class ContentCacheTest : public testing::Test {
 protected:
  WorkerMetrics metrics_;
  const std::string content_ = "what the task wants to read\n";
  const std::string hash_ = HexHash(HashKind::kSha256, content_);
  const std::string url_ = "gs://bucket/cas/" + hash_;

  void SetUp() override { memory_.Put(url_, content_); }

  // The cache of a new worker.
  ContentCache Cache() {
    return ContentCache(Directory(), store_, clock_, &metrics_, &log_, boot_id_path_);
  }
  std::string Directory() const { return directory_ / "cache"; }
  std::string EntryPath() const { return Directory() + "/" + hash_; }
  std::string RecordPath() const { return EntryPath() + ".ok"; }

  std::string Copied(ContentCache& cache, const std::string& url) {
    const std::string dst = directory_ / "copy";
    const absl::Status status = cache.Copy(url, dst, 0666, Activity(never_, &metrics_.heartbeat));
    if (!status.ok()) return status.ToString();
    return *ReadFile(dst, 1000);
  }
  std::string Copied(ContentCache& cache) { return Copied(cache, url_); }

  // A cache with a verified and recorded entry.
  ContentCache FilledCache() {
    {
      ContentCache cache = Cache();
      EXPECT_EQ(Copied(cache), content_);
      EXPECT_EQ(Copied(cache), content_);
    }
    EXPECT_TRUE(std::filesystem::exists(RecordPath()));
    return Cache();
  }

  // True if the next use reads the entry to verify its content. Each piece is a sign of life.
  bool ChecksContent(ContentCache& cache) {
    Heartbeat heartbeat;
    EXPECT_TRUE(cache.Fetch(url_, Activity(never_, &heartbeat)).ok());
    return heartbeat.beats() > 0;
  }

  // Writes other bytes with the same size and mtime, as a root process can do through a symlink.
  void EditKeepingMtime() { EditKeepingMtime(EntryPath(), 0); }
  static void EditKeepingMtime(const std::string& path, off_t offset) {
    struct stat before;
    struct stat after;
    ASSERT_EQ(stat(path.c_str(), &before), 0);
    ASSERT_EQ(chmod(path.c_str(), 0644), 0);
    // Repeats until the time stamp changes. In production, records are older than a clock tick.
    do {
      const auto fd = OpenFile(path, O_WRONLY);
      ASSERT_TRUE(fd.ok());
      ASSERT_EQ(pwrite(fd->get(), "W", 1, offset), 1);
      const timespec times[2] = {before.st_atim, before.st_mtim};
      ASSERT_EQ(futimens(fd->get(), times), 0);
      ASSERT_EQ(stat(path.c_str(), &after), 0);
    } while (after.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
    ASSERT_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
    ASSERT_EQ(after.st_size, before.st_size);
  }

  std::vector<std::string> FilesInDirectory() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(Directory())) {
      names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  TempDirectory directory_;
  MemStore memory_;
  FailingStore store_{memory_};
  LateClock clock_;
  const CancelToken never_;
  RecordedLog recorded_;
  const Log log_ = recorded_.log();
  std::string boot_id_path_ = "/proc/sys/kernel/random/boot_id";
};

TEST_F(ContentCacheTest, HitsAndMissesAreCounted) {
  ContentCache cache = Cache();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Copied(cache), content_);
  EXPECT_EQ(metrics_.cache_misses.value(), 1);
  EXPECT_EQ(metrics_.cache_hits.value(), 2);
}

TEST_F(ContentCacheTest, CopyOfEntryIsSignOfLife) {
  ContentCache cache = FilledCache();
  const uint64_t beats = metrics_.heartbeat.beats();
  EXPECT_EQ(Copied(cache), content_);
  EXPECT_EQ(metrics_.heartbeat.beats(), beats + 1) << "the piece that is copied";
}

TEST_F(ContentCacheTest, ObjectIsDownloadedOnce) {
  ContentCache cache = Cache();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Copied(cache), content_);
  ContentCache next_worker = Cache();
  EXPECT_EQ(Copied(next_worker), content_);
  EXPECT_EQ(memory_.downloads(), 1);
  EXPECT_EQ(FilesInDirectory(), (std::vector<std::string>{hash_, hash_ + ".ok"}));
}

TEST_F(ContentCacheTest, RecordedEntryIsNotReadAgain) {
  ContentCache cache = FilledCache();
  EXPECT_FALSE(ChecksContent(cache));
}

TEST_F(ContentCacheTest, ReadOnlyEntryGivesPrivateCopy) {  // D11, D50
  ContentCache cache = Cache();
  const mode_t old_umask = umask(077);
  const absl::Status copied = cache.Copy(url_, directory_ / "program", 0777, {});
  umask(old_umask);
  ASSERT_TRUE(copied.ok()) << copied;
  struct stat entry;
  struct stat copy;
  ASSERT_EQ(stat(EntryPath().c_str(), &entry), 0);
  ASSERT_EQ(stat((directory_ / "program").c_str(), &copy), 0);
  EXPECT_EQ(entry.st_mode & 07777, 0444U);
  EXPECT_EQ(copy.st_mode & 07777, 0700U);
  EXPECT_NE(entry.st_ino, copy.st_ino);
}

TEST_F(ContentCacheTest, EntryKeyIgnoresBucketAndCase) {
  const std::string other = "gs://other/" + absl::AsciiStrToUpper(hash_);
  memory_.Put(other, content_);
  ContentCache cache = Cache();
  EXPECT_EQ(Copied(cache, other), content_);
  EXPECT_EQ(Copied(cache), content_);
  EXPECT_EQ(memory_.downloads(), 1);
}

TEST_F(ContentCacheTest, WrongContentIsRejected) {  // D10
  memory_.Put(url_, "something else");
  ContentCache cache = Cache();
  const absl::Status status = cache.Fetch(url_, {}).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_FALSE(IsMachineFault(status));
  EXPECT_THAT(std::string(status.message()), testing::StartsWith(url_ + ": "));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(HexHash(HashKind::kSha256, "something else")));
  EXPECT_EQ(memory_.downloads(), 2);
  EXPECT_EQ(FilesInDirectory(), std::vector<std::string>{});
}

TEST_F(ContentCacheTest, ShortDownloadIsRetriedOnce) {
  store_.Add({.method = StoreMethod::kDownload, .times = 1, .cut_to_bytes = 5});
  ContentCache cache = Cache();
  EXPECT_EQ(Copied(cache), content_);
  EXPECT_EQ(memory_.downloads(), 2);
}

TEST_F(ContentCacheTest, MissingObjectLeavesNoFiles) {  // D50
  ContentCache cache = Cache();
  const std::string absent = "gs://bucket/" + std::string(64, 'a');
  const absl::Status status = cache.Copy(absent, directory_ / "copy", 0666, {});
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_FALSE(std::filesystem::exists(directory_ / "copy"));
  EXPECT_EQ(FilesInDirectory(), std::vector<std::string>{});
}

TEST_F(ContentCacheTest, FailedDownloadLeavesNoFiles) {  // D50
  store_.Add({.status = absl::UnavailableError("gone"), .cut_to_bytes = 5});
  ContentCache cache = Cache();
  EXPECT_TRUE(absl::IsUnavailable(cache.Fetch(url_, {}).status()));
  EXPECT_EQ(FilesInDirectory(), std::vector<std::string>{});
}

TEST_F(ContentCacheTest, TruncatedEntryIsReplaced) {  // D10
  ContentCache cache = FilledCache();
  ASSERT_EQ(truncate(EntryPath().c_str(), 3), 0);
  EXPECT_EQ(Copied(cache), content_);
  EXPECT_EQ(memory_.downloads(), 2);
}

TEST_F(ContentCacheTest, EditWithSameMtimeIsDetected) {  // D11, D12
  ContentCache cache = FilledCache();
  EditKeepingMtime();
  EXPECT_EQ(Copied(cache), content_);
  EXPECT_EQ(memory_.downloads(), 2);
}

TEST_F(ContentCacheTest, NonFileEntryIsReplaced) {
  ContentCache cache = Cache();
  ASSERT_TRUE(MakeDirectories(EntryPath() + "/folder").ok());
  EXPECT_EQ(Copied(cache), content_);
  ASSERT_TRUE(RemoveTree(EntryPath()).ok());
  ASSERT_EQ(symlink("/etc/passwd", EntryPath().c_str()), 0);
  EXPECT_EQ(Copied(cache), content_);
  EXPECT_EQ(memory_.downloads(), 2);
}

TEST_F(ContentCacheTest, UnrecordedEntryIsVerifiedOnce) {
  ASSERT_TRUE(MakeDirectories(Directory()).ok());
  ASSERT_TRUE(WriteFileAtomically(EntryPath(), content_, false).ok());
  ContentCache cache = Cache();
  EXPECT_TRUE(ChecksContent(cache));
  EXPECT_FALSE(ChecksContent(cache));
  EXPECT_EQ(memory_.downloads(), 0);
}

TEST_F(ContentCacheTest, EntriesAreVerifiedOnceAfterReboot) {
  FilledCache();
  boot_id_path_ = directory_ / "boot_id";
  ASSERT_TRUE(WriteFileAtomically(boot_id_path_, "another\n", false).ok());
  ContentCache rebooted = Cache();
  EXPECT_TRUE(ChecksContent(rebooted));
  EXPECT_FALSE(ChecksContent(rebooted));
}

TEST_F(ContentCacheTest, UnknownBootIdVerifiesEveryUse) {
  boot_id_path_ = directory_ / "absent";
  ContentCache cache = Cache();
  EXPECT_EQ(Copied(cache), content_);
  EXPECT_TRUE(ChecksContent(cache));
  EXPECT_TRUE(ChecksContent(cache));
}

TEST_F(ContentCacheTest, RecentFileGetsNoRecord) {
  clock_.lead = -absl::Minutes(1);
  ContentCache cache = Cache();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Copied(cache), content_);
  EXPECT_FALSE(std::filesystem::exists(RecordPath()));
}

TEST_F(ContentCacheTest, OnlyChangedEntryIsDropped) {  // D11
  ContentCache cache = FilledCache();
  EXPECT_EQ(cache.DropIfChanged(url_, {}).value(), false);
  ASSERT_EQ(chmod(EntryPath().c_str(), 0777), 0);
  EXPECT_EQ(cache.DropIfChanged(url_, {}).value(), false);
  EXPECT_TRUE(std::filesystem::exists(EntryPath()));
  EditKeepingMtime();
  EXPECT_EQ(cache.DropIfChanged(url_, {}).value(), true);
  EXPECT_EQ(FilesInDirectory(), std::vector<std::string>{});
}

TEST_F(ContentCacheTest, EntryChangedDuringCopyIsRefetched) {
  // The cache copies 16 MiB at a time, so the end of the file is in a later piece.
  const std::string large = std::string(17 << 20, 'c');
  const std::string hash = HexHash(HashKind::kSha256, large);
  memory_.Put("gs://bucket/" + hash, large);
  ContentCache cache = Cache();
  ASSERT_TRUE(cache.Fetch("gs://bucket/" + hash, {}).ok());
  ASSERT_TRUE(cache.Fetch("gs://bucket/" + hash, {}).ok());
  int edits = 1;
  const Activity activity(never_, nullptr, [&](uint64_t bytes) {
    // The bytes are from the copy, because the entry is already verified.
    if (bytes > 0 && edits-- > 0) EditKeepingMtime(Directory() + "/" + hash, (17 << 20) - 1);
  });
  ASSERT_TRUE(cache.Copy("gs://bucket/" + hash, directory_ / "copy", 0666, activity).ok());
  EXPECT_TRUE(*ReadFile(directory_ / "copy", large.size()) == large);
}

TEST_F(ContentCacheTest, EvictionDuringCopyGivesCorrectCopy) {
  ContentCache cache = FilledCache();
  const Activity activity(never_, nullptr, [&](uint64_t bytes) {
    if (bytes == 0) return;
    absl::SleepFor(kTimestampTick);  // so that the ctime changes
    EXPECT_EQ(EvictEntries(Directory(), UINT64_MAX, 0).entries, 1);
  });
  const absl::Status copied = cache.Copy(url_, directory_ / "copy", 0666, activity);
  ASSERT_TRUE(copied.ok()) << copied;
  EXPECT_EQ(*ReadFile(directory_ / "copy", 1000), content_);
  EXPECT_EQ(memory_.downloads(), 1);
}

TEST_F(ContentCacheTest, EntryChangingRepeatedlyIsMachineFault) {
  ContentCache cache = FilledCache();
  const Activity activity(never_, nullptr, [&](uint64_t bytes) {
    // During the refill for the second try, the entry has no name.
    if (bytes == 0 || chmod(EntryPath().c_str(), 0644) != 0) return;
    const auto fd = OpenFile(EntryPath(), O_WRONLY | O_APPEND);
    ASSERT_TRUE(fd.ok() && WriteAll(fd->get(), "more", "entry").ok());
  });
  const absl::Status copied = cache.Copy(url_, directory_ / "changed", 0666, activity);
  EXPECT_TRUE(IsMachineFault(copied)) << copied;
  EXPECT_FALSE(std::filesystem::exists(directory_ / "changed"));
}

TEST_F(ContentCacheTest, OnlyFullCacheDiskEvictsEntries) {
  ContentCache cache = FilledCache();
  const auto tries_after = [&](const std::string& directory, int error) {
    int tries = 0;
    const absl::Status status = cache.RetryAfterEviction(
        directory, {}, [&] { return ++tries == 1 ? ErrnoError(error, "file") : absl::OkStatus(); });
    return tries;
  };
  for (const int error : {EMFILE, ENFILE, ENOMEM, EIO, EACCES}) {
    EXPECT_EQ(tries_after(directory_.path(), error), 1) << error;
  }
  EXPECT_EQ(tries_after("/proc", ENOSPC), 1) << "another file system";
  EXPECT_TRUE(std::filesystem::exists(EntryPath()));
  EXPECT_EQ(tries_after(directory_.path(), EDQUOT), 2);
  EXPECT_FALSE(std::filesystem::exists(EntryPath()));
  EXPECT_THAT(recorded_.Text(), HasSubstr("removed 1 inputs"));
  EXPECT_EQ(tries_after(directory_.path(), ENOSPC), 1) << "nothing is left to remove";
}

TEST_F(ContentCacheTest, UnusableCacheDirectoryIsMachineFault) {
  ASSERT_TRUE(WriteFileAtomically(Directory(), "a file", false).ok());
  ContentCache cache = Cache();
  const absl::Status status = cache.Fetch(url_, {}).status();
  EXPECT_TRUE(IsMachineFault(status)) << status;
}

TEST_F(ContentCacheTest, FilesOfDeadWorkersAreRemoved) {  // D50
  ASSERT_TRUE(MakeDirectories(Directory()).ok());
  const std::string in_use = absl::StrCat(kTempFilePrefix, "in-use.tmp");
  for (const std::string& name : {hash_, hash_ + ".ok", hash_ + ".lock", std::string("Cargo.lock"),
                                  absl::StrCat(kTempFilePrefix, "1-0.tmp"), in_use}) {
    ASSERT_TRUE(WriteFileAtomically(Directory() + "/" + name, content_, false).ok());
  }
  const auto owner = OpenFile(Directory() + "/" + in_use, O_RDWR);
  ASSERT_TRUE(owner.ok());
  MarkInUse(owner->get());
  Cache();
  EXPECT_EQ(FilesInDirectory().size(), 6U) << "may be in use, because it is a minute old";
  clock_.lead = absl::Hours(2);
  Cache();
  EXPECT_EQ(FilesInDirectory(),
            (std::vector<std::string>{in_use, hash_, hash_ + ".ok", "Cargo.lock"}));
}

TEST_F(ContentCacheTest, WaitForAnotherWorkerIsCancellable) {
  ASSERT_TRUE(MakeDirectories(Directory()).ok());
  const auto held = EntryLock::Take(EntryPath(), clock_, {});
  ASSERT_TRUE(held.ok());
  CancelToken cancel;
  int waits = 0;
  const Activity activity(cancel, nullptr, [&](uint64_t) {
    if (++waits == 3) cancel.Cancel(CancelKind::kHandBack, "preempted");
  });
  ContentCache cache = Cache();
  const absl::Status status = cache.Fetch(url_, activity).status();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_FALSE(IsMachineFault(status));
  EXPECT_EQ(memory_.downloads(), 0);
}

TEST_F(ContentCacheTest, ConcurrentThreadsDownloadObjectOnce) {  // D51
  ContentCache cache = Cache();
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const std::string dst = directory_ / std::to_string(i);
      EXPECT_TRUE(cache.Copy(url_, dst, 0666, {}).ok());
      EXPECT_EQ(*ReadFile(dst, 1000), content_);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(memory_.downloads(), 1);
}

}  // namespace
}  // namespace sparkles
