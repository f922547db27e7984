#include "executor/space_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/support/recorded_log.h"
#include "tests/support/temp_directory.h"
#include "tests/support/unprivileged.h"

namespace sparkles {
namespace {

using testing::HasSubstr;

class SpaceGuardTest : public testing::Test {
 protected:
  SpaceGuardTest() {
    options_.tasks_dir = tasks_.path();
    options_.cache_dir = cache_.path();
    EXPECT_TRUE(WriteFileAtomically(entry_, std::string(1 << 20, 'x'), false).ok());
  }

  absl::Status Check() { return SpaceGuard(options_, activity_, recorded_.log()).Check(); }
  bool EntryIsThere() const { return std::filesystem::exists(entry_); }

  TempDirectory tasks_;
  TempDirectory cache_;
  const std::string entry_ = cache_ / std::string(64, 'a');
  SpaceOptions options_;
  CancelToken cancel_;
  const Activity activity_{cancel_};
  RecordedLog recorded_;
};

TEST_F(SpaceGuardTest, EnoughSpacePassesAndKeepsCache) {
  options_.min_free_bytes = 1;
  EXPECT_TRUE(Check().ok());
  EXPECT_TRUE(EntryIsThere());
}

TEST_F(SpaceGuardTest, LowSpaceEmptiesCacheThenFails) {
  options_.min_free_bytes = uint64_t{1} << 60;
  const absl::Status status = Check();
  EXPECT_TRUE(IsMachineFault(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr(tasks_.path()));
  EXPECT_THAT(std::string(status.message()), HasSubstr("--minFreeSpace"));
  EXPECT_FALSE(EntryIsThere());
  EXPECT_THAT(recorded_.Text(), HasSubstr("removed 1 inputs (1 MiB) from the cache"));
}

TEST_F(SpaceGuardTest, CacheIsKeptBelowLimit) {
  options_.min_free_bytes = 0;
  options_.cache_bytes = 2 << 20;
  EXPECT_TRUE(Check().ok());
  EXPECT_TRUE(EntryIsThere());
  options_.cache_bytes = 0;
  EXPECT_TRUE(Check().ok());
  EXPECT_FALSE(EntryIsThere());
}

TEST_F(SpaceGuardTest, UnusableLocksAreLogged) {
  const std::string lock = cache_ / "uses.lock";
  ASSERT_TRUE(WriteFileAtomically(lock, "", false).ok());
  ASSERT_EQ(chmod(lock.c_str(), 0), 0);
  options_.cache_bytes = 0;
  ASSERT_EQ(chmod(tasks_.path().c_str(), 0777), 0);
  {
    const Unprivileged nobody(cache_.path());
    SpaceGuard guard(options_, activity_, recorded_.log());
    for (int i = 0; i < 2; ++i) (void)guard.Check();
  }
  EXPECT_TRUE(EntryIsThere());
  EXPECT_THAT(recorded_.Text(), HasSubstr("--cacheSize has no effect"));
  EXPECT_THAT(recorded_.Text(), HasSubstr("uses.lock: Permission denied"));
}

TEST_F(SpaceGuardTest, StopPreventsEviction) {
  options_.cache_bytes = 0;
  cancel_.Cancel(CancelKind::kHandBack, "SIGTERM");
  EXPECT_TRUE(Check().ok());
  EXPECT_TRUE(EntryIsThere());
}

TEST_F(SpaceGuardTest, UnusableTasksDirIsNamed) {
  options_.tasks_dir = "/proc/nonexistent";
  EXPECT_THAT(std::string(Check().message()), HasSubstr("--tasksDir: /proc/nonexistent"));
}

}  // namespace
}  // namespace sparkles
