// Tests what a save sends, keeps and removes, also when it fails half-way.
#include "checkpoint/saver.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "tests/unit/checkpoint/checkpoint_fixture.h"

namespace sparkles {
namespace {

using Files = std::map<std::string, std::string>;

class SaverTest : public CheckpointFixture {
 protected:
  const std::unique_ptr<CheckpointSaver> saver_ = SaverOf(1);
};

TEST_F(SaverTest, EmptyDirectorySendsNothing) {
  EXPECT_TRUE(Save(*saver_).ok());
  EXPECT_TRUE(calls_.empty());
  EXPECT_EQ(confirmed_, 0);
  EXPECT_EQ(saver_->saves(), 0);
  EXPECT_FALSE(saver_->ObjectsToRemove().has_value());
}

TEST_F(SaverTest, ManifestIsWrittenLast) {
  Write("a", "1");
  Write("b/c", "22");
  EXPECT_TRUE(Save(*saver_).ok());
  ASSERT_GE(calls_.size(), 3);
  EXPECT_EQ(CountCalls("upload"), 3);
  std::string last;
  for (const std::string& call : calls_) {
    if (absl::StartsWith(call, "upload")) last = call;
  }
  EXPECT_EQ(last, absl::StrCat("upload ", kManifest));
  EXPECT_EQ(Saved(), (Files{{"a", "1"}, {"b/c", "22"}}));
  EXPECT_EQ(saver_->saves(), 1);
  EXPECT_EQ(StoredManifest().attempt, 1);
}

TEST_F(SaverTest, UnchangedFilesAreNotSentAgain) {
  Write("a", "1");
  Write("b", "1");
  ASSERT_TRUE(Save(*saver_).ok());
  calls_.clear();
  EXPECT_TRUE(Save(*saver_).ok());
  EXPECT_TRUE(calls_.empty());
  Write("b", "2");
  EXPECT_TRUE(Save(*saver_).ok());
  EXPECT_EQ(CountCalls("upload"), 2);  // the file and the manifest
  EXPECT_EQ(Saved(), (Files{{"a", "1"}, {"b", "2"}}));
}

TEST_F(SaverTest, ReplacedVersionIsRemoved) {
  Write("a", "1");
  ASSERT_TRUE(Save(*saver_).ok());
  Write("a", "2");
  calls_.clear();
  ASSERT_TRUE(Save(*saver_).ok());
  EXPECT_EQ(CountObjects(), 2);
  EXPECT_EQ(CountCalls("upload"), 2);
  EXPECT_EQ(CountCalls("remove"), 1);
}

TEST_F(SaverTest, RemovedFileLeavesTheCheckpoint) {
  Write("a", "1");
  Write("b", "1");
  ASSERT_TRUE(Save(*saver_).ok());
  Remove("a");
  EXPECT_TRUE(Save(*saver_).ok());
  EXPECT_EQ(Saved(), (Files{{"b", "1"}}));
  EXPECT_EQ(CountObjects(), 2);
}

TEST_F(SaverTest, MissingDirectoryKeepsTheCheckpoint) {
  Write("a", "1");
  ASSERT_TRUE(Save(*saver_).ok());
  std::filesystem::remove_all(local_);
  EXPECT_FALSE(Save(*saver_).ok());
  EXPECT_EQ(Saved(), (Files{{"a", "1"}}));
}

TEST_F(SaverTest, FailedFileKeepsItsLastVersion) {
  Write("a", "1");
  Write("b", "1");
  ASSERT_TRUE(Save(*saver_).ok());
  Write("a", "2");
  Write("b", "2");
  failing_.Add({.method = StoreMethod::kUpload, .times = 1, .status = absl::InternalError("no")});
  EXPECT_FALSE(Save(*saver_).ok());
  EXPECT_EQ(Saved(), (Files{{"a", "1"}, {"b", "2"}}));
  EXPECT_TRUE(Save(*saver_).ok());
  EXPECT_EQ(Saved(), (Files{{"a", "2"}, {"b", "2"}}));
}

TEST_F(SaverTest, RemovedFileStaysWhileNewOneIsMissing) {
  Write("step-1", "1");
  ASSERT_TRUE(Save(*saver_).ok());
  Remove("step-1");
  Write("step-2", "2");
  failing_.Add({.method = StoreMethod::kUpload, .times = 1, .status = absl::InternalError("no")});
  EXPECT_FALSE(Save(*saver_).ok());
  EXPECT_EQ(Saved(), (Files{{"step-1", "1"}}));
  EXPECT_TRUE(Save(*saver_).ok());
  EXPECT_EQ(Saved(), (Files{{"step-2", "2"}}));
}

TEST_F(SaverTest, FileInPlaceOfDirectoryStaysValid) {
  const auto fail_last_upload = [this] {
    failing_.Add({.method = StoreMethod::kUpload,
                  .skip = 1,
                  .times = 1,
                  .status = absl::InternalError("no")});
    EXPECT_FALSE(Save(*saver_).ok());
  };
  Write("a", "1");
  ASSERT_TRUE(Save(*saver_).ok());
  Remove("a");
  Write("a/b", "2");
  Write("a/c", "3");
  fail_last_upload();
  EXPECT_EQ(Saved(), (Files{{"a/b", "2"}}));
  std::filesystem::remove_all(local_ + "/a");
  Write("a", "4");
  Write("z", "5");
  fail_last_upload();
  EXPECT_EQ(Saved(), (Files{{"a", "4"}}));
}

TEST_F(SaverTest, TooManyOldAndNewFilesKeepLastOne) {
  Write("a", "1");
  ASSERT_TRUE(Save(*saver_).ok());
  FoundCheckpoint found;
  found.generation = memory_.GenerationOf(kManifest);
  found.manifest = StoredManifest();
  for (size_t i = 0; i < kMaxCheckpointFiles; ++i) found.files[absl::StrCat("old-", i)] = {};
  const auto next = SaverOf(2);
  next->SetStoredCheckpoint(std::move(found));
  Write("b", "1");
  failing_.Add(
      {.method = StoreMethod::kUpload, .skip = 1, .times = 1, .status = absl::InternalError("no")});
  EXPECT_TRUE(absl::IsFailedPrecondition(Save(*next)));
  EXPECT_EQ(Saved(), (Files{{"a", "1"}}));
  EXPECT_EQ(CountObjects(), 2);
}

TEST_F(SaverTest, ChangeDuringUploadKeepsLastVersion) {
  Write("a", "1");
  Write("b", "1");
  ASSERT_TRUE(Save(*saver_).ok());
  Write("a", "2");
  Write("b", "2");
  bool changed = false;
  after_call_ = [&](const std::string& call) {
    if (!absl::StartsWith(call, "upload") || std::exchange(changed, true)) return;
    std::ofstream(local_ + "/a", std::ios::app) << "3";
  };
  EXPECT_TRUE(Save(*saver_).ok());
  EXPECT_EQ(Saved(), (Files{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(CountObjects(), 3);  // the version that nothing needs is removed
  after_call_ = nullptr;
  EXPECT_TRUE(Save(*saver_).ok());
  EXPECT_EQ(Saved(), (Files{{"a", "23"}, {"b", "2"}}));
}

TEST_F(SaverTest, FileReplacedDuringUploadIsSaved) {
  Write("a", "1");
  ASSERT_TRUE(Save(*saver_).ok());
  Write("a", "2");
  bool replaced = false;
  after_call_ = [&](const std::string& call) {
    if (!absl::StartsWith(call, "upload") || std::exchange(replaced, true)) return;
    Write("a.tmp", "3");
    ASSERT_EQ(rename((local_ + "/a.tmp").c_str(), (local_ + "/a").c_str()), 0);
  };
  EXPECT_TRUE(Save(*saver_).ok());
  EXPECT_EQ(Saved(), (Files{{"a", "2"}}));
  after_call_ = nullptr;
  EXPECT_TRUE(Save(*saver_).ok());
  EXPECT_EQ(Saved(), (Files{{"a", "3"}}));
}

TEST_F(SaverTest, YoungFileIsSentOnceMore) {
  Write("a", "1");
  clock_.Advance(absl::Now() - clock_.Now());  // no older than a tick of the kernel's clock
  ASSERT_TRUE(Save(*saver_).ok());
  calls_.clear();
  clock_.Advance(absl::Hours(1));
  EXPECT_TRUE(Save(*saver_).ok());
  EXPECT_EQ(CountCalls("upload"), 2);
  calls_.clear();
  EXPECT_TRUE(Save(*saver_).ok());
  EXPECT_TRUE(calls_.empty());
}

TEST_F(SaverTest, LostClaimReplacesNoManifest) {
  Write("a", "1");
  ASSERT_TRUE(Save(*saver_).ok());
  Write("a", "2");
  claim_ = [] { return absl::CancelledError("the claim is lost"); };
  EXPECT_TRUE(absl::IsCancelled(Save(*saver_)));
  EXPECT_EQ(Saved(), (Files{{"a", "1"}}));
  EXPECT_EQ(CountObjects(), 2);  // what was sent in vain is removed
}

TEST_F(SaverTest, ClaimLostAfterManifestRemovesNothing) {
  Write("a", "1");
  ASSERT_TRUE(Save(*saver_).ok());
  const auto old = StoredManifest().files[0].object;
  Write("a", "2");
  after_call_ = [&](const std::string& call) {
    if (call != absl::StrCat("upload ", kManifest)) return;
    claim_ = [] { return absl::CancelledError("the claim is lost"); };
  };
  EXPECT_TRUE(Save(*saver_).ok());
  // Another attempt may have read the old manifest.
  EXPECT_TRUE(memory_.Get(absl::StrCat(kUrl, "/", old)).has_value());
}

TEST_F(SaverTest, OtherWorkersManifestIsReplacedOnlyWithClaim) {
  Write("a", "1");
  ASSERT_TRUE(Save(*saver_).ok());
  memory_.Put(kManifest, "another worker's");
  Write("a", "2");
  int asked = 0;
  claim_ = [&asked] {
    // The first question comes before the other manifest is seen.
    return ++asked == 1 ? absl::OkStatus() : absl::CancelledError("the claim is lost");
  };
  EXPECT_TRUE(absl::IsCancelled(Save(*saver_)));
  EXPECT_EQ(memory_.Get(kManifest), "another worker's");
}

TEST_F(SaverTest, FailedManifestIsWrittenByTheNextSave) {
  Write("a", "1");
  failing_.Add(
      {.method = StoreMethod::kUploadBytes, .times = 1, .status = absl::InternalError("no")});
  EXPECT_FALSE(Save(*saver_).ok());
  EXPECT_EQ(saver_->saves(), 0);
  EXPECT_TRUE(Save(*saver_).ok());
  EXPECT_EQ(Saved(), (Files{{"a", "1"}}));
  // The first object may belong to a manifest whose answer was lost. It is found at the end.
  ASSERT_TRUE(saver_->ObjectsToRemove().has_value());
  EXPECT_TRUE(saver_->ObjectsToRemove()->list);
}

TEST_F(SaverTest, ObjectsOfKilledFirstSaveAreRemoved) {
  const std::string object = DataObjectName(1, IdentityOf(1).tag() + "00000000", 1, 0);
  memory_.Put(absl::StrCat(kUrl, "/", object), "sent before the kill");
  const auto next = SaverOf(2);
  next->SetStoredCheckpoint(FoundCheckpoint());
  Write("a", "1");
  ASSERT_TRUE(Save(*next).ok());
  ASSERT_TRUE(next->ObjectsToRemove().has_value());
  EXPECT_TRUE(RemoveCheckpoint(*next->ObjectsToRemove(), store_, 1, Activity()).ok());
  EXPECT_EQ(CountObjects(), 0);
}

// A refusal may pass, and the next attempt may be able to restore the checkpoint.
TEST_F(SaverTest, IgnoredCheckpointStaysUntilReplaced) {
  Write("a", "1");
  ASSERT_TRUE(Save(*saver_).ok());
  const auto next = SaverOf(2);
  next->SetStoredCheckpoint({.generation = memory_.GenerationOf(kManifest),
                             .manifest = StoredManifest(),
                             .files = {},
                             .ignored = "an object was refused"});
  Write("a", "2");
  failing_.Add({.method = StoreMethod::kUpload, .times = 1, .status = absl::InternalError("no")});
  EXPECT_FALSE(Save(*next).ok());
  EXPECT_EQ(Saved(), (Files{{"a", "1"}}));
  EXPECT_EQ(next->ObjectsToRemove()->objects.size(), 1);
  EXPECT_TRUE(Save(*next).ok());
  EXPECT_EQ(Saved(), (Files{{"a", "2"}}));
  EXPECT_EQ(CountObjects(), 2);
}

TEST_F(SaverTest, HurriedSaveSendsNewestAndKeepsTheRest) {
  Write("old", "1");
  Write("new", "1");
  ASSERT_TRUE(Save(*saver_).ok());
  Write("old", "2");
  Write("new", "2");
  using std::chrono::hours;
  const auto now = std::filesystem::last_write_time(local_ + "/new");
  std::filesystem::last_write_time(local_ + "/old", now - hours(1));
  CancelToken over;
  after_call_ = [&](const std::string& call) {
    if (absl::StartsWith(call, "upload")) over.Cancel(CancelKind::kAbort, "no time");
  };
  calls_.clear();
  const Activity data(over);
  const Activity manifest;
  EXPECT_TRUE(absl::IsCancelled(saver_->Save({.data = data, .manifest = manifest, .hurry = true})));
  EXPECT_EQ(Saved(), (Files{{"old", "1"}, {"new", "2"}}));
  EXPECT_EQ(CountCalls("remove"), 0);
  EXPECT_EQ(CountCalls("flush"), 0);
}

TEST_F(SaverTest, RefusalEndsTheSave) {
  for (const char* name : {"a", "b", "c"}) Write(name, "1");
  failing_.Add({.method = StoreMethod::kUpload, .status = absl::PermissionDeniedError("403")});
  EXPECT_TRUE(absl::IsPermissionDenied(Save(*saver_)));
  EXPECT_EQ(CountCalls("upload"), 1);
}

TEST_F(SaverTest, RefusedRemovalIsNotRepeated) {
  Write("a", "1");
  ASSERT_TRUE(Save(*saver_).ok());
  failing_.Add({.method = StoreMethod::kRemove, .status = absl::PermissionDeniedError("403")});
  for (const char* content : {"2", "3"}) {
    Write("a", content);
    EXPECT_TRUE(Save(*saver_).ok());
  }
  EXPECT_EQ(CountCalls("remove"), 1);
  EXPECT_TRUE(absl::IsPermissionDenied(saver_->removal_refused()));
}

}  // namespace
}  // namespace sparkles
