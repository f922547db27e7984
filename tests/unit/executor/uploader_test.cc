#include "executor/uploader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/support/failing_store.h"
#include "tests/support/mem_store.h"
#include "tests/support/temp_directory.h"
#include "tests/support/unprivileged.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class UploaderTest : public testing::Test {
 protected:
  void Write(const std::string& path, const std::string& content) {
    ASSERT_TRUE(MakeDirectories(DirectoryOf(directory_ / path)).ok());
    ASSERT_TRUE(WriteFileAtomically(directory_ / path, content, false).ok());
  }

  absl::Status Upload(const std::vector<std::string>& paths, int transfers = 1) {
    return Uploader(store_, current_, transfers)
        .Upload(directory_.path(), paths, "gs://b/job", {}, Activity(cancel_), result_);
  }

  std::vector<std::string> Delivered() const {
    std::vector<std::string> paths;
    for (const DeliveredFile& file : result_.files) paths.push_back(file.src);
    return paths;
  }

  TempDirectory directory_;
  MemStore memory_;
  FailingStore store_{memory_};
  CurrentTask current_;
  CancelToken cancel_;
  TaskResult result_;
};

TEST_F(UploaderTest, UploadedFilesAndBytesAreCounted) {
  Write("a.txt", "one");
  Write("b.txt", "three");
  ASSERT_TRUE(Upload({"a.txt", "b.txt"}).ok());
  EXPECT_EQ(current_.Read()->files_done, 2);
  EXPECT_EQ(current_.Read()->bytes_done, 8);
}

TEST_F(UploaderTest, FilesKeepRelativePaths) {
  Write("a.txt", "one");
  Write("sub/.b", "two");
  EXPECT_TRUE(Upload({"a.txt", "sub/.b"}).ok());
  EXPECT_EQ(memory_.Get("gs://b/job/a.txt"), "one");
  EXPECT_EQ(memory_.Get("gs://b/job/sub/.b"), "two");
}

TEST_F(UploaderTest, AcknowledgedFileIsListed) {
  Write("a.txt", "one");
  memory_.Put("gs://b/job/a.txt", "of an earlier attempt");
  ASSERT_TRUE(Upload({"a.txt"}).ok());
  const DeliveredFile& file = result_.files.at(0);
  EXPECT_EQ(file.dst_url, "gs://b/job/a.txt");
  EXPECT_EQ(file.size, 3U);
  EXPECT_EQ(file.crc32c, Crc32c("one"));
  EXPECT_EQ(file.generation, 2);
}

TEST_F(UploaderTest, ParallelUploadsKeepListOrder) {
  std::vector<std::string> paths;
  for (int i = 0; i < 200; ++i) {
    paths.push_back("f" + std::to_string(i));
    Write(paths.back(), paths.back());
  }
  EXPECT_TRUE(Upload(paths, 8).ok());
  EXPECT_EQ(Delivered(), paths);
}

TEST_F(UploaderTest, NewFilesAreAppendedToList) {
  result_.files.push_back({"before", "gs://b/job/before", 0, 0, 0});
  Write("a", "");
  ASSERT_TRUE(Upload({"a"}).ok());
  EXPECT_THAT(Delivered(), ElementsAre("before", "a"));
}

// D16
TEST_F(UploaderTest, FailedOutputIsNamedOthersArrive) {
  for (const char* name : {"a", "b", "c", "d"}) Write(name, name);
  store_.Add({.method = StoreMethod::kUpload,
              .url_part = "job/b",
              .status = absl::PermissionDeniedError("gs://b/job/b: 403")});
  absl::Status status = Upload({"a", "b", "c", "d"});
  EXPECT_TRUE(absl::IsPermissionDenied(status));
  EXPECT_EQ(status.message(), "gs://b/job/b: 403");
  EXPECT_THAT(Delivered(), ElementsAre("a", "c", "d"));
  status = Upload({"a", "gone.txt", "lost.txt", "d"});
  EXPECT_EQ(status.message(), "output: gone.txt: No such file or directory (and 1 more)");
}

TEST_F(UploaderTest, TenRefusalsEndUploads) {
  std::vector<std::string> paths;
  for (int i = 100; i < 200; ++i) {
    paths.push_back("f" + std::to_string(i));
    Write(paths.back(), "");
    store_.Add({.method = StoreMethod::kUpload,
                .url_part = "job/" + paths.back(),
                .status = absl::PermissionDeniedError(paths.back() + ": 403")});
  }
  EXPECT_EQ(Upload(paths).message(), "f100: 403 (and 9 more; the rest was not tried)");
}

TEST_F(UploaderTest, MachineFaultEndsUploads) {
  for (const char* name : {"a", "b", "c"}) Write(name, name);
  store_.Add({.method = StoreMethod::kUpload,
              .url_part = "job/a",
              .status = absl::PermissionDeniedError("gs://b/job/a: 403")});
  store_.Add({.method = StoreMethod::kUpload,
              .url_part = "job/b",
              .status = MachineFault(absl::UnavailableError("away for 30 minutes"))});
  const absl::Status status = Upload({"a", "b", "c"});
  EXPECT_TRUE(IsMachineFault(status));
  EXPECT_EQ(status.message(), "away for 30 minutes");
  EXPECT_THAT(Delivered(), IsEmpty());
}

TEST_F(UploaderTest, FullDiskIsMachineFault) {
  Write("a", "more than there is room for");
  store_.SetQuota(3);
  EXPECT_TRUE(IsMachineFault(Upload({"a"})));
  EXPECT_THAT(Delivered(), IsEmpty());
}

TEST_F(UploaderTest, VanishedFileIsNamedInError) {  // D04
  const absl::Status status = Upload({"gone.txt"});
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(status.message(), "output: gone.txt: No such file or directory");
}

TEST_F(UploaderTest, UnreadableFileIsSkipped) {  // D07
  for (const char* name : {"a", "secret", "z"}) Write(name, name);
  ASSERT_EQ(chmod((directory_ / "secret").c_str(), 0), 0);
  const Unprivileged nobody(directory_.path());
  EXPECT_TRUE(Upload({"a", "secret", "z"}).ok());
  EXPECT_THAT(Delivered(), ElementsAre("a", "z"));
  ASSERT_EQ(result_.skipped.size(), 1U);
  EXPECT_EQ(result_.skipped[0].src, "secret");
  EXPECT_THAT(result_.skipped[0].reason, HasSubstr("Permission denied"));
}

TEST_F(UploaderTest, PseudoFileIsSkipped) {
  ASSERT_EQ(symlink("/proc/self/mem", (directory_ / "mem.txt").c_str()), 0);
  Write("z", "z");
  EXPECT_TRUE(Upload({"mem.txt", "z"}).ok());
  EXPECT_THAT(Delivered(), ElementsAre("z"));
  ASSERT_EQ(result_.skipped.size(), 1U);
  EXPECT_EQ(result_.skipped[0].src, "mem.txt");
  EXPECT_THAT(result_.skipped[0].reason, HasSubstr("pseudo file system"));
}

TEST_F(UploaderTest, InvalidNamesFailAfterOtherUploads) {  // D15
  for (const char* name : {"a\nb", "a\rb", "M\xE4rz", "z"}) Write(name, "x");
  const absl::Status status = Upload({"a\nb", "a\rb", "M\xE4rz", "z"});
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("output a\\nb (and 2 more): the name"));
  EXPECT_THAT(Delivered(), ElementsAre("z"));
}

TEST_F(UploaderTest, SingleInvalidNameIsQuoted) {
  Write("M\xE4rz", "x");
  EXPECT_THAT(std::string(Upload({"M\xE4rz"}).message()),
              HasSubstr("output M\\xe4rz: the name is not valid UTF-8"));
}

TEST_F(UploaderTest, FailedTransferWinsOverInvalidName) {
  Write("a\nb", "x");
  EXPECT_TRUE(absl::IsNotFound(Upload({"a\nb", "gone"})));
}

TEST_F(UploaderTest, CancelledUploadTransfersNothing) {
  Write("a", "x");
  cancel_.Cancel(CancelKind::kHandBack, "SIGTERM");
  EXPECT_TRUE(absl::IsCancelled(Upload({"a"})));
  EXPECT_THAT(memory_.Urls(), IsEmpty());
}

TEST_F(UploaderTest, EmptyListSucceeds) {
  EXPECT_TRUE(Upload({}).ok());
  EXPECT_THAT(Delivered(), IsEmpty());
}

}  // namespace
}  // namespace sparkles
