// Tests that a checkpoint is restored whole or not at all.
#include "checkpoint/restorer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "tests/unit/checkpoint/checkpoint_fixture.h"

namespace sparkles {
namespace {

using Files = std::map<std::string, std::string>;

class RestorerTest : public CheckpointFixture {
 protected:
  RestorerTest() {
    Write("a", "1");
    Write("b/c", "22");
    EXPECT_EQ(chmod((local_ + "/a").c_str(), 0640), 0);
    EXPECT_TRUE(Save(*saver_).ok());
    calls_.clear();
  }
  absl::StatusOr<FoundCheckpoint> Restore(const CheckpointIdentity& identity = IdentityOf(2)) {
    return RestoreInto(target_, identity);
  }
  // Nothing is restored for a reason with this text.
  void ExpectIgnored(const absl::StatusOr<FoundCheckpoint>& found, const std::string& reason) {
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_FALSE(found->restored());
    EXPECT_THAT(found->ignored, testing::HasSubstr(reason));
    EXPECT_TRUE(FilesIn(target_).empty());
  }
  std::string UrlOfFirst() {
    return absl::StrCat(kUrl, "/", StoredManifest().files.front().object);
  }

  const std::string target_ = directory_ / "target";
  const std::unique_ptr<CheckpointSaver> saver_ = SaverOf(1);
};

TEST_F(RestorerTest, FilesComeBackAsTheyWere) {
  const auto found = Restore();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(found->restored());
  EXPECT_EQ(found->manifest->attempt, 1);
  EXPECT_EQ(FilesIn(target_), (Files{{"a", "1"}, {"b/c", "22"}}));
  struct stat old;
  struct stat now;
  ASSERT_EQ(stat((local_ + "/a").c_str(), &old), 0);
  ASSERT_EQ(stat((target_ + "/a").c_str(), &now), 0);
  EXPECT_EQ(now.st_mode & 07777, 0640);
  EXPECT_EQ(now.st_mtim.tv_sec, old.st_mtim.tv_sec);
}

TEST_F(RestorerTest, RestoredFilesAreNotSentAgain) {
  std::filesystem::remove_all(local_);
  auto found = RestoreInto(local_, IdentityOf(2));
  ASSERT_TRUE(found.ok()) << found.status();
  const auto next = SaverOf(2);
  next->SetStoredCheckpoint(*std::move(found));
  calls_.clear();
  EXPECT_TRUE(Save(*next).ok());
  EXPECT_TRUE(calls_.empty());
  Write("a", "2");
  EXPECT_TRUE(Save(*next).ok());
  EXPECT_EQ(CountCalls("upload"), 2);
  EXPECT_EQ(Saved(), (Files{{"a", "2"}, {"b/c", "22"}}));
  EXPECT_EQ(StoredManifest().attempt, 2);
}

TEST_F(RestorerTest, NoManifestIsNoCheckpoint) {
  ASSERT_TRUE(memory_.Remove(kManifest, 1, Activity()).ok());
  const auto found = Restore();
  ExpectIgnored(found, "");
  EXPECT_TRUE(found->ignored.empty());
  EXPECT_FALSE(found->generation.has_value());
}

TEST_F(RestorerTest, CheckpointOfAnotherTaskIsIgnored) {
  CheckpointIdentity other = IdentityOf(2);
  other.spec_sha256 = std::string(64, '6');
  ExpectIgnored(Restore(other), "spec has changed");
  other = IdentityOf(2);
  other.task_created += absl::Seconds(1);
  ExpectIgnored(Restore(other), "earlier task with this id");
  other = IdentityOf(2);
  other.first_attempt = 2;
  ExpectIgnored(Restore(other), "has ended");
  ExpectIgnored(Restore(IdentityOf(1)), "later attempt");
}

TEST_F(RestorerTest, BrokenManifestIsIgnored) {
  memory_.Put(kManifest, "{}");
  ExpectIgnored(Restore(), "the manifest is broken");
}

TEST_F(RestorerTest, HugeManifestIsIgnored) {
  memory_.Put(kManifest, std::string(kMaxManifestBytes + 1, ' '));
  ExpectIgnored(Restore(), "longer than");
}

TEST_F(RestorerTest, MissingObjectMakesItIgnored) {
  const std::string url = UrlOfFirst();
  ASSERT_TRUE(memory_.Remove(url, 1, Activity()).ok());
  ExpectIgnored(Restore(), url);
}

TEST_F(RestorerTest, WrongContentMakesItIgnored) {
  memory_.Put(UrlOfFirst(), "3");
  ExpectIgnored(Restore(), "not the version");
}

TEST_F(RestorerTest, ManifestReplacedMeanwhileIsReadAgain) {
  // The worker that saved it lives still, and saves once more.
  bool saved = false;
  after_call_ = [&](const std::string& call) {
    if (call != absl::StrCat("read ", kManifest) || std::exchange(saved, true)) return;
    Write("a", "2");
    Write("b/c", "33");
    EXPECT_TRUE(Save(*saver_).ok());
  };
  const auto found = Restore();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(FilesIn(target_), (Files{{"a", "2"}, {"b/c", "33"}}));
}

TEST_F(RestorerTest, TooLongNameMakesItIgnored) {
  Manifest manifest = StoredManifest();
  for (const char* directory : {"", "/x"}) {
    manifest.files.front().path = std::string(300, 'n') + directory;
    memory_.Put(kManifest, FormatManifest(manifest));
    ExpectIgnored(Restore(), "too long");
  }
}

TEST_F(RestorerTest, RefusalMakesItIgnored) {
  failing_.Add({.method = StoreMethod::kReadBytes, .status = absl::PermissionDeniedError("403")});
  ExpectIgnored(Restore(), "cannot be read");
}

TEST_F(RestorerTest, MachineFaultLeavesDirectoryEmpty) {
  const absl::Status fault = MachineFault(absl::UnavailableError("no network"));
  failing_.Add({.method = StoreMethod::kDownload, .skip = 1, .status = fault});
  const auto found = Restore();
  EXPECT_TRUE(IsMachineFault(found.status())) << found.status();
  EXPECT_TRUE(FilesIn(target_).empty());
  EXPECT_FALSE(std::filesystem::exists(directory_ / "target.restore"));
}

}  // namespace
}  // namespace sparkles
