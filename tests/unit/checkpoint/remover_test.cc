// Tests what is removed at the end of a task, and what stays.
#include "checkpoint/remover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/checkpoint/checkpoint_fixture.h"

namespace sparkles {
namespace {

class RemoverTest : public CheckpointFixture {
 protected:
  absl::Status RemoveAll(const CheckpointSaver& saver) {
    const std::optional<CheckpointObjects> checkpoint = saver.ObjectsToRemove();
    EXPECT_TRUE(checkpoint.has_value());
    calls_.clear();
    return RemoveCheckpoint(*checkpoint, store_, 1, Activity());
  }
  // An object with the name that attempt `attempt` of `task` gives it.
  std::string PutObject(int attempt, const CheckpointIdentity& task) {
    const std::string url =
        absl::StrCat(kUrl, "/", DataObjectName(attempt, task.tag() + "ff", 9, 0));
    memory_.Put(url, "x");
    return url;
  }

  const std::unique_ptr<CheckpointSaver> saver_ = SaverOf(2);
};

TEST_F(RemoverTest, ManifestIsRemovedBeforeItsObjects) {
  Write("a", "1");
  Write("b", "1");
  ASSERT_TRUE(Save(*saver_).ok());
  EXPECT_TRUE(RemoveAll(*saver_).ok());
  ASSERT_EQ(calls_.size(), 3);  // and no list: everything is known
  EXPECT_EQ(calls_.front(), absl::StrCat("remove ", kManifest));
  EXPECT_EQ(CountObjects(), 0);
}

TEST_F(RemoverTest, LeftoversOfEarlierAttemptsAreFound) {
  PutObject(1, IdentityOf(1));
  Write("a", "1");
  ASSERT_TRUE(Save(*SaverOf(1)).ok());
  auto found = RestoreInto(directory_ / "target", IdentityOf(2));
  ASSERT_TRUE(found.ok());
  saver_->SetStoredCheckpoint(*std::move(found));
  EXPECT_TRUE(RemoveAll(*saver_).ok());
  EXPECT_EQ(CountObjects(), 0);
}

TEST_F(RemoverTest, LaterAttemptAndOtherTaskKeepTheirs) {
  Write("a", "1");
  failing_.Add({.method = StoreMethod::kUpload, .times = 1, .status = absl::InternalError("no")});
  EXPECT_FALSE(Save(*saver_).ok());
  ASSERT_TRUE(Save(*saver_).ok());
  CheckpointIdentity other = IdentityOf(1);
  other.task_created += absl::Hours(1);
  const std::vector<std::string> kept = {PutObject(3, IdentityOf(3)), PutObject(1, other),
                                         absl::StrCat(kUrl, "/user.txt")};
  memory_.Put(kept.back(), "x");
  // Attempt 3 has replaced the manifest meanwhile.
  Manifest manifest = StoredManifest();
  manifest.attempt = 3;
  memory_.Put(kManifest, FormatManifest(manifest));
  EXPECT_TRUE(RemoveAll(*saver_).ok());
  std::vector<std::string> all = kept;
  all.push_back(kManifest);
  EXPECT_THAT(memory_.Urls(), testing::UnorderedElementsAreArray(all));
}

TEST_F(RemoverTest, ManifestWithoutAnswerIsFound) {
  Write("a", "1");
  // The store has it, but the answer is lost.
  after_call_ = [&](const std::string& call) {
    if (call != absl::StrCat("upload ", kManifest)) return;
    claim_ = [] { return absl::CancelledError("the claim is lost"); };
  };
  ASSERT_TRUE(Save(*saver_).ok());
  const Manifest written = StoredManifest();
  claim_ = [] { return absl::OkStatus(); };
  after_call_ = nullptr;
  failing_.Add(
      {.method = StoreMethod::kUploadBytes, .times = 1, .status = absl::InternalError("no")});
  Write("a", "2");
  EXPECT_FALSE(Save(*saver_).ok());
  memory_.Put(kManifest, FormatManifest(written));  // another generation
  EXPECT_TRUE(RemoveAll(*saver_).ok());
  EXPECT_EQ(CountObjects(), 0);
}

TEST_F(RemoverTest, RefusalEndsTheRemoval) {
  Write("a", "1");
  Write("b", "1");
  ASSERT_TRUE(Save(*saver_).ok());
  failing_.Add({.method = StoreMethod::kRemove, .status = absl::PermissionDeniedError("403")});
  EXPECT_TRUE(absl::IsPermissionDenied(RemoveAll(*saver_)));
  EXPECT_EQ(calls_.size(), 1);
}

}  // namespace
}  // namespace sparkles
