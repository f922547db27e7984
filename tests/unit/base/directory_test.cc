#include "base/directory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <string>

#include "base/file.h"
#include "tests/support/deep_directory.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

class DirectoryTest : public testing::Test {
 protected:
  TempDirectory directory_;
  UniqueFd fd_{open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
};

absl::Status Pass(const char*, unsigned char) { return absl::OkStatus(); }

TEST_F(DirectoryTest, EveryEntryIsVisitedWithType) {
  ASSERT_TRUE(WriteFileAtomically(directory_ / "file", "", false).ok());
  ASSERT_TRUE(WriteFileAtomically(directory_ / ".hidden", "", false).ok());
  ASSERT_TRUE(MakeDirectories(directory_ / "folder").ok());
  ASSERT_EQ(symlink("nowhere", (directory_ / "link").c_str()), 0);
  std::map<std::string, unsigned char> seen;
  const absl::Status status =
      ForEachEntry(fd_.get(), "x", [&](const char* entry, unsigned char type) {
        seen[entry] = type;
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(seen,
            (std::map<std::string, unsigned char>{
                {"file", DT_REG}, {".hidden", DT_REG}, {"folder", DT_DIR}, {"link", DT_LNK}}));
}

TEST_F(DirectoryTest, CallbackErrorEndsVisits) {
  for (const char* name : {"a", "b", "c"}) {
    ASSERT_TRUE(WriteFileAtomically(directory_ / name, "", false).ok());
  }
  int visits = 0;
  const absl::Status status = ForEachEntry(fd_.get(), "x", [&](const char*, unsigned char) {
    return ++visits < 2 ? absl::OkStatus() : absl::CancelledError("SIGTERM");
  });
  EXPECT_EQ(status, absl::CancelledError("SIGTERM"));
  EXPECT_EQ(visits, 2);
}

TEST_F(DirectoryTest, DescriptorStaysOpenAfterVisit) {
  ASSERT_TRUE(ForEachEntry(fd_.get(), "x", Pass).ok());
  EXPECT_EQ(fcntl(fd_.get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(DirectoryTest, NonDirectoryIsNamed) {
  const UniqueFd file(open((directory_ / "f").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666));
  const absl::Status status = ForEachEntry(file.get(), "f", Pass);
  EXPECT_EQ(status.message(), "f: Not a directory");
}

TEST_F(DirectoryTest, OpenIgnoresWorkingDirectory) {
  ASSERT_TRUE(MakeDirectories(directory_ / "a").ok());
  ASSERT_TRUE(WriteFileAtomically(directory_ / "a/f", "", false).ok());
  const auto fd = OpenBelow(fd_.get(), "a/f", O_RDONLY);
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_EQ(fcntl(fd->get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(DirectoryTest, MissingFileIsNamed) {
  const auto fd = OpenBelow(fd_.get(), "a/f", O_RDONLY);
  EXPECT_TRUE(absl::IsNotFound(fd.status()));
  EXPECT_EQ(fd.status().message(), "a/f: No such file or directory");
}

TEST_F(DirectoryTest, OpensPathsBeyondKernelLimit) {
  const std::string name(250, 'd');
  const UniqueFd innermost = MakeDeepDirectory(directory_.path(), 40, name);
  ASSERT_TRUE(innermost.valid());
  const UniqueFd made(openat(innermost.get(), "f", O_CREAT | O_RDWR | O_CLOEXEC, 0666));
  std::string path;
  for (int i = 0; i < 40; ++i) path += name + "/";
  ASSERT_GT(path.size(), 10'000U);
  EXPECT_TRUE(OpenBelow(fd_.get(), path + "f", O_RDONLY).ok());
  EXPECT_TRUE(absl::IsNotFound(OpenBelow(fd_.get(), path + "g", O_RDONLY).status()));
}

}  // namespace
}  // namespace sparkles
