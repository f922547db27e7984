#include "base/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "base/status.h"
#include "tests/support/temp_directory.h"
#include "tests/support/unprivileged.h"

namespace sparkles {
namespace {

class FileTest : public testing::Test {
 protected:
  size_t FilesInDirectory() const {
    const auto entries = std::filesystem::directory_iterator(directory_.path());
    return static_cast<size_t>(std::distance(begin(entries), end(entries)));
  }

  TempDirectory directory_;
};

TEST_F(FileTest, OpenedFilesCloseOnExec) {
  const auto fd = OpenFile(directory_ / "f", O_CREAT | O_RDWR);
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_EQ(fcntl(fd->get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST_F(FileTest, OpenErrorNamesFile) {
  const auto fd = OpenFile(directory_ / "f", O_RDONLY);
  EXPECT_TRUE(absl::IsNotFound(fd.status()));
  EXPECT_EQ(fd.status().message(), directory_ / "f" + ": No such file or directory");
}

TEST_F(FileTest, FileBeyondLimitIsRefused) {
  const std::string content(200'000, 'x');
  ASSERT_TRUE(WriteFileAtomically(directory_ / "f", content, false).ok());
  EXPECT_EQ(ReadFile(directory_ / "f", 200'000).value(), content);
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadFile(directory_ / "f", 199'999).status()));
}

TEST_F(FileTest, AbsentAndEmptyFilesDiffer) {
  EXPECT_TRUE(absl::IsNotFound(ReadFile(directory_ / "f", 10).status()));
  ASSERT_TRUE(WriteFileAtomically(directory_ / "f", "", false).ok());
  EXPECT_EQ(ReadFile(directory_ / "f", 10).value(), "");
}

TEST_F(FileTest, FifosAndDirectoriesAreRefused) {
  ASSERT_EQ(mkfifo((directory_ / "fifo").c_str(), 0666), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadFile(directory_ / "fifo", 10).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadFile(directory_.path(), 10).status()));
}

TEST_F(FileTest, FullDiskIsMachineFault) {
  const auto full = OpenFile("/dev/full", O_WRONLY);
  ASSERT_TRUE(full.ok());
  const absl::Status status = WriteAll(full->get(), "x", "out.csv");
  EXPECT_TRUE(IsMachineFault(status));
  EXPECT_EQ(status.message(), "out.csv: No space left on device");
}

TEST_F(FileTest, DirectoriesAreMadeWithParents) {
  EXPECT_TRUE(MakeDirectories(directory_ / "a/b/c").ok());
  EXPECT_TRUE(std::filesystem::is_directory(directory_ / "a/b/c"));
  EXPECT_TRUE(MakeDirectories(directory_ / "a/b/c").ok());
  EXPECT_TRUE(MakeDirectories(directory_ / "a/d/").ok());
  EXPECT_TRUE(MakeDirectories("/").ok());
}

TEST_F(FileTest, FileInDirectoryPathIsNamed) {
  ASSERT_TRUE(WriteFileAtomically(directory_ / "f", "", false).ok());
  const absl::Status status = MakeDirectories(directory_ / "f");
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_EQ(status.message(), directory_ / "f" + ": not a directory");
  EXPECT_FALSE(MakeDirectories(directory_ / "f/below").ok());
  EXPECT_TRUE(absl::IsInvalidArgument(MakeDirectories("")));
}

// stat fails for a link to itself, as for a dead mount.
TEST_F(FileTest, UnreadableDirectoryNamesCause) {
  const std::string loop = directory_ / "loop";
  ASSERT_EQ(symlink("loop", loop.c_str()), 0);
  EXPECT_EQ(MakeDirectories(loop).message(), loop + ": Too many levels of symbolic links");
}

TEST_F(FileTest, UnwritableParentIsPermissionDenied) {
  ASSERT_TRUE(MakeDirectories(directory_ / "theirs").ok());
  ASSERT_EQ(chmod((directory_ / "theirs").c_str(), 0555), 0);
  const Unprivileged nobody(directory_.path());
  EXPECT_TRUE(absl::IsPermissionDenied(MakeDirectories(directory_ / "theirs/a/b")));
}

TEST(PathPartsTest, ParentDirectoryPrecedesLastSlash) {
  EXPECT_EQ(DirectoryOf("/a/b/c"), "/a/b");
  EXPECT_EQ(DirectoryOf("/c"), "/");
  EXPECT_EQ(DirectoryOf("c"), ".");
  EXPECT_EQ(DirectoryOf("a/c"), "a");
}

TEST(PathPartsTest, BaseNameFollowsLastSlash) {
  EXPECT_EQ(BaseName("/a/b/c"), "c");
  EXPECT_EQ(BaseName("c"), "c");
  EXPECT_EQ(BaseName("a/"), "");
}

TEST_F(FileTest, DeepDirectoriesFitSmallStack) {
  std::string path = directory_ / "d";
  for (int i = 0; i < 700; ++i) path += "/d";
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, 128 << 10), 0);
  pthread_t thread;
  const auto make = [](void* made) -> void* {
    return MakeDirectories(*static_cast<std::string*>(made)).ok() ? made : nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, make, &path), 0);
  void* made = nullptr;
  ASSERT_EQ(pthread_join(thread, &made), 0);
  EXPECT_TRUE(made != nullptr && std::filesystem::is_directory(path));
}

TEST_F(FileTest, AtomicFileIsAbsentBeforeCommit) {
  auto file = AtomicFile::Create(directory_ / "f");
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE(file->Write("whole").ok());
  EXPECT_TRUE(absl::IsNotFound(ReadFile(directory_ / "f", 10).status()));
  EXPECT_TRUE(file->Commit(/*durable=*/true).ok());
  EXPECT_EQ(ReadFile(directory_ / "f", 10).value(), "whole");
}

TEST_F(FileTest, UncommittedFileChangesNothing) {
  ASSERT_TRUE(WriteFileAtomically(directory_ / "f", "old", false).ok());
  {
    auto file = AtomicFile::Create(directory_ / "f");
    ASSERT_TRUE(file.ok() && file->Write("half").ok());
  }
  EXPECT_EQ(ReadFile(directory_ / "f", 10).value(), "old");
  EXPECT_EQ(FilesInDirectory(), 1U);
}

TEST_F(FileTest, CommitReplacesOldFile) {
  for (const char* content : {"one", "two", "three"}) {
    ASSERT_TRUE(WriteFileAtomically(directory_ / "f", content, true).ok());
    EXPECT_EQ(ReadFile(directory_ / "f", 10).value(), content);
  }
  EXPECT_EQ(FilesInDirectory(), 1U);
}

TEST_F(FileTest, CommitReplacesLinkNotTarget) {
  ASSERT_TRUE(WriteFileAtomically(directory_ / "target", "theirs", false).ok());
  ASSERT_EQ(symlink((directory_ / "target").c_str(), (directory_ / "f").c_str()), 0);
  ASSERT_TRUE(WriteFileAtomically(directory_ / "f", "ours", false).ok());
  EXPECT_EQ(ReadFile(directory_ / "target", 10).value(), "theirs");
  EXPECT_FALSE(std::filesystem::is_symlink(directory_ / "f"));
}

TEST_F(FileTest, FailedCommitChangesNothing) {
  ASSERT_TRUE(MakeDirectories(directory_ / "f/inside").ok());
  const absl::Status status = WriteFileAtomically(directory_ / "f", "new", false);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.message(), directory_ / "f" + ": Is a directory");
  EXPECT_TRUE(std::filesystem::is_directory(directory_ / "f/inside"));
  EXPECT_EQ(FilesInDirectory(), 1U);
}

TEST_F(FileTest, MovedAtomicFileIsCommittedOnce) {
  auto created = AtomicFile::Create(directory_ / "f");
  ASSERT_TRUE(created.ok());
  {
    AtomicFile moved = *std::move(created);
    ASSERT_TRUE(moved.Write("x").ok() && moved.Commit(false).ok());
  }
  EXPECT_EQ(ReadFile(directory_ / "f", 10).value(), "x");
}

TEST_F(FileTest, FileModeRespectsUmask) {
  const mode_t old_umask = umask(027);
  auto file = AtomicFile::Create(directory_ / "f", 0777);
  umask(old_umask);
  ASSERT_TRUE(file.ok() && file->Commit(false).ok());
  struct stat info;
  ASSERT_EQ(stat((directory_ / "f").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0750U);
}

TEST_F(FileTest, MissingDirectoryErrorNamesFile) {
  const auto file = AtomicFile::Create(directory_ / "no/f");
  EXPECT_TRUE(absl::IsNotFound(file.status()));
  EXPECT_EQ(file.status().message().substr(0, (directory_ / "no/f").size()), directory_ / "no/f");
}

TEST(Sync, UnsupportedSyncIsIgnored) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);  // EINVAL, as some network mounts have it for files
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  EXPECT_TRUE(SyncFile(writer.get(), "pipe").ok());
  EXPECT_TRUE(SyncData(writer.get(), "pipe").ok());
  EXPECT_EQ(SyncFile(-1, "it").message(), "it: Bad file descriptor");
  EXPECT_EQ(SyncData(-1, "it").message(), "it: Bad file descriptor");
}

class StaleTempFileTest : public testing::Test {
 protected:
  void Replace() { ASSERT_TRUE(WriteFileAtomically(directory_ / "x", "new", false).ok()); }
  std::vector<std::string> Temps() const {
    std::vector<std::string> temps;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      if (absl::StartsWith(entry.path().filename().string(), kTempFilePrefix)) {
        temps.push_back(entry.path());
      }
    }
    return temps;
  }
  // A child process names the temporary file, and ends before it can rename the file to "x".
  void LeaveTemp() {
    Replace();
    const pid_t child = fork();
    if (child == 0) {
      auto file = AtomicFile::Create(directory_ / "x");
      if (!file.ok()) _exit(1);
      // The rename fails because "x" is a directory with content. No destructor runs.
      unlink((directory_ / "x").c_str());
      mkdir((directory_ / "x").c_str(), 0700);
      mkdir((directory_ / "x/y").c_str(), 0700);
      _exit(file->Commit(false).ok() ? 1 : 0);
    }
    int status = 1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    ASSERT_TRUE(RemoveTree(directory_ / "x").ok());
    ASSERT_THAT(Temps(), testing::SizeIs(1));
  }

  TempDirectory directory_;
};

TEST_F(StaleTempFileTest, NextWriterRemovesStaleFile) {
  LeaveTemp();
  for (int i = 0; i < 2; ++i) Replace();  // the second write needs the temporary name
  EXPECT_THAT(Temps(), testing::IsEmpty());
  EXPECT_EQ(*ReadFile(directory_ / "x", 10), "new");
}

TEST_F(StaleTempFileTest, LockedTempFileStays) {
  LeaveTemp();
  const std::string temp = Temps()[0];
  const auto writer = OpenFile(temp, O_RDWR);
  ASSERT_TRUE(writer.ok());
  ASSERT_EQ(flock(writer->get(), LOCK_EX | LOCK_NB), 0);
  for (int i = 0; i < 2; ++i) Replace();
  EXPECT_THAT(Temps(), testing::ElementsAre(temp));
}

TEST_F(StaleTempFileTest, TempNameLinkIsNotFollowed) {
  LeaveTemp();
  const std::string temp = Temps()[0];
  ASSERT_EQ(unlink(temp.c_str()), 0);
  ASSERT_TRUE(WriteFileAtomically(directory_ / "other", "other", false).ok());
  ASSERT_EQ(symlink("other", temp.c_str()), 0);
  for (int i = 0; i < 2; ++i) Replace();
  EXPECT_EQ(*ReadFile(directory_ / "other", 10), "other");
  EXPECT_EQ(*ReadFile(directory_ / "x", 10), "new");
}

}  // namespace
}  // namespace sparkles
