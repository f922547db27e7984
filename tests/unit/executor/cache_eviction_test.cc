#include "executor/cache_eviction.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "executor/cache_use.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint64_t kEntryBytes = 64 << 10;
constexpr uint64_t kAll = UINT64_MAX;

class CacheEvictionTest : public testing::Test {
 protected:
  // The entry of the letter "a" is "aaa...".
  static std::string NameOf(char letter) { return std::string(64, letter); }
  std::string PathOf(char letter) { return directory_ / NameOf(letter); }

  void Touch(const std::string& path, int age_seconds) {
    const timespec time = absl::ToTimespec(absl::Now() - absl::Seconds(age_seconds));
    const timespec times[] = {time, time};
    ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0) << path;
  }

  // Adds an entry that was filled long ago and last used `used_seconds_ago`.
  void Add(char letter, int used_seconds_ago) {
    ASSERT_TRUE(WriteFileAtomically(PathOf(letter), std::string(kEntryBytes, 'x'), false).ok());
    ASSERT_TRUE(WriteFileAtomically(PathOf(letter) + ".ok", "record", false).ok());
    Touch(PathOf(letter), 100'000);
    Touch(PathOf(letter) + ".ok", used_seconds_ago);
  }

  // True if `name` is the record of an existing entry.
  bool IsRecord(const std::string& name) {
    return name.size() > 64 && std::filesystem::exists(directory_ / name.substr(0, 64));
  }

  // The letters of all entries, and the names of other files.
  std::set<std::string> Left() {
    std::set<std::string> left;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      const std::string name = entry.path().filename();
      if (name.size() == 64) {
        left.insert(name.substr(0, 1));
      } else if (name != "uses.lock" && !IsRecord(name)) {
        left.insert(name);
      }
    }
    return left;
  }

  FakeClock clock_;
  TempDirectory directory_;
};

TEST_F(CacheEvictionTest, LeastRecentlyUsedEntryGoesFirst) {
  Add('a', 10);
  Add('b', 1000);
  Add('c', 100);
  const Evicted evicted = EvictEntries(directory_.path(), 0, 2 * kEntryBytes);
  EXPECT_EQ(evicted.entries, 1);
  EXPECT_EQ(evicted.bytes_left, 2 * kEntryBytes);
  EXPECT_THAT(Left(), ElementsAre("a", "c"));
  EXPECT_EQ(EvictEntries(directory_.path(), 1, kAll).bytes, kEntryBytes);
  EXPECT_THAT(Left(), ElementsAre("a"));
}

TEST_F(CacheEvictionTest, EntriesStayWhileSpaceSuffices) {
  Add('a', 10);
  EXPECT_EQ(EvictEntries(directory_.path(), 0, kAll).entries, 0);
  EXPECT_EQ(EvictEntries(directory_.path(), 0, kEntryBytes).entries, 0);
  EXPECT_THAT(Left(), ElementsAre("a"));
}

TEST_F(CacheEvictionTest, EntryInUseIsNotEvicted) {
  Add('a', 1000);
  Add('b', 10);
  auto use = CacheUse::Open(directory_.path());
  ASSERT_TRUE(use->Hold(NameOf('a'), clock_, {}).ok());
  EXPECT_EQ(EvictEntries(directory_.path(), kAll, 0).entries, 1);
  EXPECT_THAT(Left(), ElementsAre("a"));
  use = absl::UnknownError("the task is over");
  EXPECT_EQ(EvictEntries(directory_.path(), kAll, 0).entries, 1);
  EXPECT_THAT(Left(), IsEmpty());
}

TEST_F(CacheEvictionTest, EntryStaysUntilLastUseEnds) {
  Add('a', 1000);
  auto one = CacheUse::Open(directory_.path());
  auto other = CacheUse::Open(directory_.path());
  ASSERT_TRUE(one->Hold(NameOf('a'), clock_, {}).ok());
  ASSERT_TRUE(other->Hold(NameOf('a'), clock_, {}).ok());
  one = absl::UnknownError("over");
  EXPECT_EQ(EvictEntries(directory_.path(), kAll, 0).entries, 0);
}

TEST_F(CacheEvictionTest, WaitForFrozenRemovalHasDeadline) {
  auto frozen = CacheUse::Open(directory_.path());
  auto waiting = CacheUse::Open(directory_.path());
  ASSERT_TRUE(frozen->TryLockForRemoval(NameOf('a')));
  EXPECT_TRUE(absl::IsDeadlineExceeded(waiting->Hold(NameOf('a'), clock_, {})));
  CancelToken cancel;
  clock_.OnSleep([&](size_t) { cancel.Cancel(CancelKind::kHandBack, "SIGTERM"); });
  EXPECT_TRUE(absl::IsCancelled(waiting->Hold(NameOf('a'), clock_, Activity(cancel))));
  frozen->Release(NameOf('a'));
  EXPECT_TRUE(waiting->Hold(NameOf('a'), clock_, {}).ok());
}

TEST_F(CacheEvictionTest, ForeignFilesAreNotEvicted) {
  ASSERT_TRUE(WriteFileAtomically(directory_ / "notes.txt", "x", false).ok());
  ASSERT_EQ(symlink("/etc/passwd", PathOf('b').c_str()), 0);
  ASSERT_EQ(mkdir(PathOf('c').c_str(), 0700), 0);
  EXPECT_EQ(EvictEntries(directory_.path(), kAll, 0).entries, 0);
  EXPECT_THAT(Left(), ElementsAre("b", "c", "notes.txt"));
  EXPECT_EQ(EvictEntries("/nonexistent", kAll, 0).entries, 0);
}

TEST_F(CacheEvictionTest, OldRecordWithoutEntryIsRemoved) {
  for (const char letter : {'a', 'b'}) {
    ASSERT_TRUE(WriteFileAtomically(PathOf(letter) + ".ok", "record", false).ok());
  }
  Touch(PathOf('a') + ".ok", 7200);
  EXPECT_EQ(EvictEntries(directory_.path(), kAll, 0).entries, 0);
  EXPECT_THAT(Left(), ElementsAre(NameOf('b') + ".ok"));
}

TEST_F(CacheEvictionTest, DirectoryAsLockFileIsReplaced) {
  ASSERT_TRUE(MakeDirectories(directory_ / "uses.lock/x").ok());
  Add('a', 10);
  const Evicted evicted = EvictEntries(directory_.path(), kAll, kAll);
  EXPECT_TRUE(evicted.locks.ok()) << evicted.locks;
  EXPECT_EQ(evicted.entries, 1);
}

TEST_F(CacheEvictionTest, StopEndsEvictionEarly) {
  Add('a', 10);
  Add('b', 1000);
  Add('c', 100);
  CancelToken cancel;
  Heartbeat heartbeat;
  uint64_t reports = 0;
  const Activity until_one_has_gone(cancel, &heartbeat, [&](uint64_t) {
    ++reports;
    if (Left().size() < 3) cancel.Cancel(CancelKind::kHandBack, "SIGTERM");
  });
  EXPECT_EQ(EvictEntries(directory_.path(), kAll, 0, until_one_has_gone).entries, 1);
  EXPECT_EQ(heartbeat.beats(), reports) << "each entry is a sign of life";
  EXPECT_THAT(Left(), ElementsAre("a", "c"));
}

}  // namespace
}  // namespace sparkles
