#include "base/mounts.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Below(absl::string_view mountinfo, absl::string_view directory) {
  std::vector<std::string> mounts;
  for (const Mount& mount : ParseMountsBelow(mountinfo, directory)) {
    mounts.push_back(absl::StrCat(mount.point, " ", mount.type));
  }
  return mounts;
}

constexpr char kTable[] =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "23 22 0:5 / /w rw - tmpfs tmpfs rw\n"
    "24 23 0:6 / /w/proc rw shared:2 master:3 - proc none rw\n"
    "25 23 0:7 /a /w/a\\040b\\134c rw - fuse.gcsfuse gcs rw\n"
    "26 22 0:8 / /work rw - sysfs sysfs rw\n";

TEST(MountsTest, OnlyMountsBelowDirectoryAreReturned) {
  EXPECT_THAT(Below(kTable, "/w"), ElementsAre("/w/proc proc", "/w/a b\\c fuse.gcsfuse"));
  EXPECT_THAT(Below(kTable, "/w/proc"), IsEmpty());
  EXPECT_EQ(Below(kTable, "/").size(), 4U);
}

TEST(MountsTest, MalformedLinesAreSkipped) {
  EXPECT_THAT(Below("\n1\n1 2 3 4 /w/x rw\n - \n1 2 3 4 /w/\\07 rw - proc\n", "/w"),
              ElementsAre("/w/\\07 proc"));
}

TEST(MountsTest, PseudoFileSystemIsDetected) {
  const TempDirectory directory;
  ASSERT_TRUE(WriteFileAtomically(directory / "x", "x", false).ok());
  const auto real = OpenFile(directory / "x", O_RDONLY);
  const auto pseudo = OpenFile("/proc/self/stat", O_RDONLY);
  ASSERT_TRUE(real.ok() && pseudo.ok());
  EXPECT_FALSE(IsOnPseudoFileSystem(real->get()));
  EXPECT_TRUE(IsOnPseudoFileSystem(pseudo->get()));
  EXPECT_TRUE(IsSameMount(real->get(), real->get()));
  EXPECT_FALSE(IsSameMount(real->get(), pseudo->get()));
}

}  // namespace
}  // namespace sparkles
