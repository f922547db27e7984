// Tests which files of a checkpoint directory are saved, which have changed, and their order.
#include "checkpoint/scan.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "checkpoint/manifest.h"
#include "checkpoint/save_plan.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

class ScanTest : public testing::Test {
 protected:
  void Write(const std::string& path, absl::string_view content = "x") {
    const std::string whole = directory_ / path;
    ASSERT_TRUE(MakeDirectories(DirectoryOf(whole)).ok());
    ASSERT_TRUE(WriteFileAtomically(whole, content, false).ok());
  }
  std::vector<std::string> Paths() {
    const Scan scan = ScanCheckpoint(directory_.path()).value();
    std::vector<std::string> paths;
    for (const ScannedFile& file : scan.files) paths.push_back(file.path);
    return paths;
  }
  // All files, as if they had just been saved.
  KnownFiles Known() {
    const Scan scan = ScanCheckpoint(directory_.path()).value();
    KnownFiles known;
    for (const ScannedFile& file : scan.files) {
      known[file.path] = {.saved = {}, .stamp = file.stamp, .stamp_is_sure = true};
    }
    return known;
  }
  size_t CountChanged(const KnownFiles& known) {
    return ChangedFiles(ScanCheckpoint(directory_.path()).value(), known).size();
  }

  TempDirectory directory_;
};

TEST_F(ScanTest, FilesOfAllDirectoriesAreFound) {
  Write("b");
  Write("a/c");
  Write("a/d/e", "12345");
  EXPECT_EQ(Paths(), (std::vector<std::string>{"a/c", "a/d/e", "b"}));
  EXPECT_EQ(ScanCheckpoint(directory_.path())->files[1].stamp.size, 5);
}

TEST_F(ScanTest, HiddenAndTemporaryNamesAreLeftOut) {
  Write("good");
  Write("part.tmp");
  Write(".hidden");
  Write(".dir/file");
  Write("dir.tmp/file");
  EXPECT_EQ(Paths(), std::vector<std::string>{"good"});
}

TEST_F(ScanTest, LinksAndSpecialFilesAreLeftOut) {
  Write("good");
  ASSERT_EQ(symlink("good", (directory_ / "link").c_str()), 0);
  ASSERT_EQ(symlink("/etc", (directory_ / "etc").c_str()), 0);
  ASSERT_EQ(mkfifo((directory_ / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(Paths(), std::vector<std::string>{"good"});
}

TEST_F(ScanTest, NameThatIsNotUtf8IsCounted) {
  Write("\xff");
  const Scan scan = ScanCheckpoint(directory_.path()).value();
  EXPECT_TRUE(scan.files.empty());
  EXPECT_EQ(scan.unusable_names, 1);
}

TEST_F(ScanTest, MissingDirectoryIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(ScanCheckpoint(directory_ / "none").status()));
}

TEST_F(ScanTest, LinkInPlaceOfDirectoryIsRefused) {
  ASSERT_EQ(symlink("/etc", (directory_ / "link").c_str()), 0);
  EXPECT_FALSE(ScanCheckpoint(directory_ / "link").ok());
}

TEST_F(ScanTest, TooDeepDirectoryIsRefused) {
  std::string path = "d";
  for (int i = 1; i < kMaxCheckpointDepth; ++i) path += "/d";
  Write(path + "/file");
  EXPECT_EQ(Paths().size(), 1);
  Write(path + "/d/file");
  EXPECT_FALSE(ScanCheckpoint(directory_.path()).ok());
}

TEST_F(ScanTest, StopEndsTheScan) {
  Write(".hidden");
  CancelToken stop;
  stop.Cancel(CancelKind::kHandBack, "TERM");
  const Activity activity(stop);
  EXPECT_TRUE(absl::IsCancelled(ScanCheckpoint(directory_.path(), activity).status()));
}

TEST_F(ScanTest, TooLongPathIsRefused) {
  std::string path;
  while (path.size() <= kMaxCheckpointPathBytes) path += std::string(200, 'd') + "/";
  Write(path + "file");
  EXPECT_TRUE(absl::IsFailedPrecondition(ScanCheckpoint(directory_.path()).status()));
}

TEST_F(ScanTest, UntouchedFilesAreUnchanged) {
  Write("a");
  Write("b/c");
  EXPECT_EQ(CountChanged(Known()), 0);
}

TEST_F(ScanTest, NewAndEditedFilesAreChanged) {
  Write("a", "1234");
  Write("b");
  const KnownFiles known = Known();
  Write("new");
  EXPECT_EQ(CountChanged(known), 1);
  // The same size and mtime, but another inode and ctime.
  const auto mtime = std::filesystem::last_write_time(directory_ / "a");
  Write("a", "5678");
  std::filesystem::last_write_time(directory_ / "a", mtime);
  EXPECT_EQ(CountChanged(known), 2);
}

TEST_F(ScanTest, FileWithUnsureStampIsChanged) {
  Write("a");
  KnownFiles known = Known();
  known["a"].stamp_is_sure = false;
  EXPECT_EQ(CountChanged(known), 1);
}

TEST_F(ScanTest, RemovedFilesAreNamed) {
  for (const char* name : {"a", "b", "c", "d"}) Write(name);
  const KnownFiles known = Known();
  for (const char* name : {"a", "c", "d"}) unlink((directory_ / name).c_str());
  Write("e");
  const Scan scan = ScanCheckpoint(directory_.path()).value();
  EXPECT_EQ(RemovedPaths(scan, known), (std::vector<std::string>{"a", "c", "d"}));
  EXPECT_EQ(RemovedPaths(Scan(), known).size(), 4);
  EXPECT_TRUE(RemovedPaths(scan, {}).empty());
}

TEST(SavePlan, NewestThenSmallestFilesComeFirst) {
  const auto file = [](const char* path, double seconds, uint64_t size) {
    ScannedFile scanned{path, {}};
    scanned.stamp.mtime = absl::UnixEpoch() + absl::Seconds(seconds);
    scanned.stamp.size = size;
    return scanned;
  };
  std::vector<ScannedFile> files = {file("old", 10, 1), file("big", 20.1, 100),
                                    file("small", 20.9, 10), file("new", 21, 1000)};
  PutMostValuableFirst(files);
  std::vector<std::string> order;
  for (const ScannedFile& one : files) order.push_back(one.path);
  // Within one second, the small file was written last only by chance.
  EXPECT_EQ(order, (std::vector<std::string>{"new", "small", "big", "old"}));
}

}  // namespace
}  // namespace sparkles
