#include "base/file_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "base/fd.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

class FileLockTest : public testing::Test {
 protected:
  // Each call makes an open file of its own, as each process does.
  UniqueFd Open() const {
    return UniqueFd(open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  }

  TempDirectory directory_;
  const std::string path_ = directory_.path() + "/lock";
};

TEST_F(FileLockTest, SecondHolderIsRefused) {
  UniqueFd first = Open();
  const UniqueFd second = Open();
  EXPECT_EQ(TryLockNamed(first.get(), path_).value(), LockResult::kAcquired);
  EXPECT_EQ(TryLockNamed(second.get(), path_).value(), LockResult::kHeldElsewhere);
  first.reset();
  EXPECT_EQ(TryLockNamed(second.get(), path_).value(), LockResult::kAcquired);
}

TEST_F(FileLockTest, RemovedFileIsGone) {
  const UniqueFd fd = Open();
  ASSERT_EQ(unlink(path_.c_str()), 0);
  EXPECT_EQ(TryLockNamed(fd.get(), path_).value(), LockResult::kGone);
}

TEST_F(FileLockTest, ReplacedFileOfSameTimeIsGone) {
  const UniqueFd removed = Open();
  ASSERT_EQ(unlink(path_.c_str()), 0);
  const UniqueFd present = Open();
  const timespec times[2] = {{1000, 0}, {1000, 0}};
  ASSERT_EQ(futimens(removed.get(), times), 0);
  ASSERT_EQ(futimens(present.get(), times), 0);
  EXPECT_EQ(TryLockNamed(removed.get(), path_).value(), LockResult::kGone);
  EXPECT_EQ(TryLockNamed(present.get(), path_).value(), LockResult::kAcquired);
}

TEST_F(FileLockTest, SymlinkToTheFileIsNotItsName) {
  const UniqueFd fd = Open();
  const std::string moved = path_ + ".moved";
  ASSERT_EQ(rename(path_.c_str(), moved.c_str()), 0);
  ASSERT_EQ(symlink(moved.c_str(), path_.c_str()), 0);
  EXPECT_FALSE(IsNamed(fd.get(), path_));
  EXPECT_TRUE(IsNamed(fd.get(), moved));
}

TEST_F(FileLockTest, ExclusiveByteLockExcludesOthers) {
  UniqueFd holder = Open();
  const UniqueFd other = Open();
  ASSERT_TRUE(TryLockByte(holder.get(), 7, ByteLock::kExclusive, path_).value());
  EXPECT_FALSE(TryLockByte(other.get(), 7, ByteLock::kShared, path_).value());
  EXPECT_TRUE(TryLockByte(other.get(), 8, ByteLock::kExclusive, path_).value());
  EXPECT_TRUE(IsByteLocked(other.get(), 7, path_).value());
  EXPECT_FALSE(IsByteLocked(holder.get(), 7, path_).value()) << "by another open file";
  ASSERT_TRUE(UnlockByte(holder.get(), 7, path_).ok());
  EXPECT_FALSE(IsByteLocked(other.get(), 7, path_).value());
}

TEST_F(FileLockTest, SharedByteLocksExcludeExclusiveOnes) {
  const UniqueFd one = Open();
  const UniqueFd two = Open();
  ASSERT_TRUE(TryLockByte(one.get(), 7, ByteLock::kShared, path_).value());
  ASSERT_TRUE(TryLockByte(two.get(), 7, ByteLock::kShared, path_).value());
  EXPECT_FALSE(TryLockByte(two.get(), 7, ByteLock::kExclusive, path_).value());
}

}  // namespace
}  // namespace sparkles
