#include "storage/local_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "base/file_url.h"
#include "base/status.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::HasSubstr;

class LocalStoreTest : public testing::Test {
 protected:
  std::string Url(const std::string& name) const { return MakeFileUrl(directory_ / name); }
  UniqueFd SourceWith(const std::string& content, mode_t mode = 0644) {
    const std::string path = sources_ / "source";
    EXPECT_TRUE(WriteFileAtomically(path, content, false).ok());
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return *OpenFile(path, O_RDWR);
  }
  mode_t ModeOf(const std::string& name) const {
    struct stat info{};
    EXPECT_EQ(stat((directory_ / name).c_str(), &info), 0);
    return info.st_mode & 0777;
  }
  size_t EntryCount() const {
    const std::filesystem::directory_iterator listing(directory_.path());
    return static_cast<size_t>(std::distance(begin(listing), end(listing)));
  }

  TempDirectory directory_;
  TempDirectory sources_;
  LocalStore store_;
  const CancelToken never_;
};

TEST_F(LocalStoreTest, RemovedDirectoriesAreMadeAgain) {
  ASSERT_TRUE(store_.UploadBytes("1", Url("a/b/c/x"), {}, {}).ok());
  ASSERT_TRUE(RemoveTree(directory_ / "a").ok());
  ASSERT_TRUE(store_.UploadBytes("2", Url("a/b/c/y"), {}, {}).ok());
  EXPECT_EQ(*ReadFile(directory_ / "a/b/c/y", 10), "2");
  EXPECT_TRUE(store_.Flush().ok());
}

TEST_F(LocalStoreTest, RemoveKeepsDirectoriesAbove) {
  ASSERT_TRUE(store_.UploadBytes("1", Url("user/made/x"), {}, {}).ok());
  ASSERT_TRUE(store_.UploadBytes("2", Url("user/made/y"), {}, {}).ok());
  EXPECT_TRUE(store_.Remove(Url("user/made/x"), 0, {}).ok());
  EXPECT_EQ(*ReadFile(directory_ / "user/made/y", 10), "2");
  EXPECT_TRUE(store_.Remove(Url("user/made/y"), 0, {}).ok());
  EXPECT_FALSE(std::filesystem::exists(directory_ / "user/made"));
  EXPECT_TRUE(std::filesystem::exists(directory_ / "user"));
}

TEST_F(LocalStoreTest, ExecuteBitAndUmaskAreRespected) {
  const mode_t old_umask = umask(027);
  const bool stored = store_.Upload(SourceWith("#!", 0700).get(), Url("program"), {}, {}).ok() &&
                      store_.Upload(SourceWith("x", 0400).get(), Url("data"), {}, {}).ok();
  umask(old_umask);
  ASSERT_TRUE(stored);
  EXPECT_EQ(ModeOf("program"), 0740U);
  EXPECT_EQ(ModeOf("data"), 0640U);
}

TEST_F(LocalStoreTest, DirectoryAtTargetIsKept) {
  ASSERT_TRUE(MakeDirectories(directory_ / "a/b").ok());
  const absl::Status status = store_.Upload(SourceWith("x").get(), Url("a"), {}, {}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(status.message(), Url("a") + ": Is a directory");
  EXPECT_TRUE(std::filesystem::is_directory(directory_ / "a/b"));
  EXPECT_EQ(EntryCount(), 1U);
}

TEST_F(LocalStoreTest, FileInTargetPathIsNamed) {
  ASSERT_TRUE(store_.UploadBytes("x", Url("file"), {}, {}).ok());
  const absl::Status status = store_.UploadBytes("y", Url("file/b/c"), {}, {}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), testing::StartsWith(Url("file/b/c") + ": "));
}

TEST_F(LocalStoreTest, SpecialFilesAreNotRead) {
  ASSERT_TRUE(MakeDirectories(directory_ / "folder").ok());
  ASSERT_EQ(mkfifo((directory_ / "pipe").c_str(), 0600), 0);
  ASSERT_EQ(mknod((directory_ / "socket").c_str(), S_IFSOCK | 0600, 0), 0);
  for (const std::string name : {"folder", "pipe", "socket"}) {
    const absl::Status status = store_.Download(Url(name), SourceWith("").get(), {}).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_FALSE(IsMachineFault(status)) << "other machines cannot read it either";
    EXPECT_EQ(status.message(), Url(name) + ": not a regular file");
  }
}

TEST_F(LocalStoreTest, ResizedFileIsNotStored) {
  for (const off_t new_size : {500'000, 10}) {
    const UniqueFd source = SourceWith(std::string(200'000, 'x'));
    const Activity resizing(never_, nullptr, [&](uint64_t bytes) {
      if (bytes == 0) return;
      ASSERT_EQ(ftruncate(source.get(), new_size), 0);
    });
    const absl::Status status = store_.Upload(source.get(), Url("a"), {}, resizing).status();
    EXPECT_TRUE(absl::IsAborted(status)) << status;
    EXPECT_EQ(status.message(), Url("a") + ": changed while it was read");
    EXPECT_EQ(EntryCount(), 0U);
  }
}

TEST_F(LocalStoreTest, RewrittenFileIsNotStored) {
  const UniqueFd source = SourceWith(std::string(200'000, 'x'));
  // An old time stamp, which cannot equal the time of the change by chance.
  const timespec old_times[2] = {{1'000'000, 0}, {1'000'000, 0}};
  ASSERT_EQ(futimens(source.get(), old_times), 0);
  const Activity rewriting(never_, nullptr, [&](uint64_t bytes) {
    if (bytes == 0) return;
    ASSERT_EQ(pwrite(source.get(), "y", 1, 0), 1);
  });
  const absl::Status status = store_.Upload(source.get(), Url("a"), {}, rewriting).status();
  EXPECT_TRUE(absl::IsAborted(status)) << status;
}

TEST_F(LocalStoreTest, FullDiskIsMachineFault) {
  ASSERT_TRUE(store_.UploadBytes("content", Url("a"), {}, {}).ok());
  const auto full = OpenFile("/dev/full", O_RDWR);
  ASSERT_TRUE(full.ok());
  const absl::Status status = store_.Download(Url("a"), full->get(), {}).status();
  EXPECT_TRUE(IsMachineFault(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("No space left"));
}

TEST_F(LocalStoreTest, UploadReplacesSymlinkNotTarget) {
  ASSERT_TRUE(store_.UploadBytes("target", Url("target"), {}, {}).ok());
  ASSERT_EQ(symlink("target", (directory_ / "link").c_str()), 0);
  ASSERT_TRUE(store_.UploadBytes("new", Url("link"), {}, {}).ok());
  EXPECT_EQ(*ReadFile(directory_ / "target", 10), "target");
  EXPECT_EQ(*ReadFile(directory_ / "link", 10), "new");
}

TEST_F(LocalStoreTest, FlushIgnoresRemovedFiles) {
  for (const int count : {3, 40}) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(store_.UploadBytes("x", Url("d/" + std::to_string(i)), {}, {}).ok());
    }
    ASSERT_TRUE(RemoveTree(directory_ / "d").ok());
    EXPECT_TRUE(store_.Flush().ok());
    EXPECT_TRUE(store_.Flush().ok());
  }
}

}  // namespace
}  // namespace sparkles
