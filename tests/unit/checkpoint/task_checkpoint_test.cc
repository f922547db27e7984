// Tests a checkpoint from one attempt to the next: periodic saves, messages, numbers, removal.
#include "checkpoint/task_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_split.h"
#include "tests/support/eventually.h"
#include "tests/support/recorded_log.h"
#include "tests/unit/checkpoint/checkpoint_fixture.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TaskCheckpointTest : public CheckpointFixture {
 protected:
  std::unique_ptr<TaskCheckpoint> MakeAttempt(int attempt) {
    return std::make_unique<TaskCheckpoint>(
        TaskCheckpoint::Parts{.options = {.every = every_, .counters = &counters_},
                              .stop_time = {},
                              .transfers = 1,
                              .directory = local_,
                              .result_url = result_url_,
                              .identity = IdentityOf(attempt),
                              .history = history_,
                              .store = store_,
                              .clock = system_clock_,
                              .check_claim = confirm_,
                              .log = recorded_.log(),
                              .removal_refused = removal_refused_});
  }
  // Runs an attempt that writes a file, and is handed back.
  void RunFirstAttempt() {
    const auto first = MakeAttempt(1);
    ASSERT_TRUE(first->Restore(Activity(), add_to_log_).ok());
    first->BeginSaves(cancel_);
    Write("a", "12345");
    first->EndSaves();
    EXPECT_TRUE(first->SaveLast(nullptr));
  }

  size_t CountInLog(const std::string& text) {
    const std::vector<std::string> parts = absl::StrSplit(recorded_.Text(), text);
    return parts.size() - 1;
  }

  SystemClock system_clock_;
  absl::Duration every_ = absl::Hours(1);
  std::string result_url_ = "gs://out/1/result.json";
  CheckpointCounters counters_;
  std::vector<HistoryEntry> history_;
  RecordedLog recorded_;
  std::atomic<bool> removal_refused_ = false;
  CancelToken cancel_;
  std::vector<std::string> told_;
  const std::function<void(absl::string_view)> add_to_log_ = [this](absl::string_view line) {
    told_.emplace_back(line);
  };
};

TEST_F(TaskCheckpointTest, UnusedDirectoryCostsNothing) {
  const auto first = MakeAttempt(1);
  ASSERT_TRUE(first->Restore(Activity(), add_to_log_).ok());
  EXPECT_THAT(first->Variables(), ElementsAre(absl::StrCat("SPARKLES_CHECKPOINT_DIR=", local_)));
  first->BeginSaves(cancel_);
  first->EndSaves();
  (void)first->SaveLast(nullptr);
  EXPECT_TRUE(calls_.empty());
  EXPECT_FALSE(first->Summary().has_value());
  EXPECT_FALSE(first->Removal());
}

TEST_F(TaskCheckpointTest, NextAttemptContinues) {
  RunFirstAttempt();
  const absl::Time saved = StoredManifest().saved_at;
  history_ = {{absl::UnixEpoch(), "claimed", "", ""},
              {saved + absl::Minutes(4), "reset", "", ""},
              {saved + absl::Minutes(5), "claimed", "", ""}};
  std::filesystem::remove_all(local_);
  ASSERT_TRUE(MakeDirectories(local_).ok());
  const auto second = MakeAttempt(2);
  ASSERT_TRUE(second->Restore(Activity(), add_to_log_).ok());
  EXPECT_THAT(told_, ElementsAre("restored 1 file, 5 B, saved 4 min before attempt 1 ended"));
  EXPECT_EQ(second->Variables().back(), "SPARKLES_RESTORED=1");
  EXPECT_EQ(FilesIn(local_), (std::map<std::string, std::string>{{"a", "12345"}}));
  const std::optional<CheckpointUse> use = second->Summary();
  ASSERT_TRUE(use.has_value());
  EXPECT_EQ(use->restored_from_attempt, 1);
  EXPECT_EQ(use->files, 1);
  EXPECT_EQ(use->bytes, 5);
  EXPECT_EQ(use->saves, 0);
  EXPECT_EQ(use->saved_at, saved);
  EXPECT_EQ(counters_.restored_bytes.value(), 5);
  EXPECT_EQ(counters_.saves.value(), 1);
}

TEST_F(TaskCheckpointTest, ForeignCheckpointIsIgnoredWithLine) {
  RunFirstAttempt();
  memory_.Put(kManifest, "{}");
  std::filesystem::remove_all(local_);
  ASSERT_TRUE(MakeDirectories(local_).ok());
  const auto second = MakeAttempt(2);
  ASSERT_TRUE(second->Restore(Activity(), add_to_log_).ok());
  EXPECT_THAT(told_, ElementsAre(HasSubstr("a checkpoint is ignored: the manifest is broken")));
  EXPECT_EQ(second->Variables().size(), 1);
}

TEST_F(TaskCheckpointTest, FirstAttemptReadsNothing) {
  RunFirstAttempt();
  calls_.clear();
  const auto again = MakeAttempt(1);
  ASSERT_TRUE(again->Restore(Activity(), add_to_log_).ok());
  EXPECT_TRUE(calls_.empty());
}

TEST_F(TaskCheckpointTest, ChangesAreSavedWhileTheCommandRuns) {
  every_ = absl::Milliseconds(5);
  const auto first = MakeAttempt(1);
  first->BeginSaves(cancel_);
  Write("a", "1");
  EXPECT_TRUE(Eventually([&] { return memory_.Get(kManifest).has_value(); }));
  Write("a", "2");
  EXPECT_TRUE(Eventually([&] { return Saved()["a"] == "2"; }));
  first->EndSaves();
  EXPECT_GE(first->Summary()->saves, 2);
}

TEST_F(TaskCheckpointTest, SwitchedOffNothingIsSavedOrRestored) {
  RunFirstAttempt();
  calls_.clear();
  every_ = absl::ZeroDuration();
  const auto second = MakeAttempt(2);
  ASSERT_TRUE(second->Restore(Activity(), add_to_log_).ok());
  second->BeginSaves(cancel_);
  second->EndSaves();
  EXPECT_FALSE(second->SaveLast(nullptr));
  EXPECT_TRUE(calls_.empty());
  EXPECT_EQ(second->Variables().size(), 1);
}

TEST_F(TaskCheckpointTest, TaskWithoutResultUrlIsNotSaved) {
  result_url_ = "";
  const auto first = MakeAttempt(1);
  first->BeginSaves(cancel_);
  Write("a", "1");
  first->EndSaves();
  EXPECT_FALSE(first->SaveLast(nullptr));
  EXPECT_TRUE(calls_.empty());
}

TEST_F(TaskCheckpointTest, FailedSaveIsWarnedOfOnce) {
  failing_.Add({.method = StoreMethod::kUpload, .status = absl::InternalError("broken store")});
  every_ = absl::Milliseconds(2);
  const auto first = MakeAttempt(1);
  first->BeginSaves(cancel_);
  Write("a", "1");
  EXPECT_TRUE(Eventually([&] { return counters_.save_failures.value() > 2; }));
  first->EndSaves();
  EXPECT_EQ(CountInLog("broken store"), 1);
}

TEST_F(TaskCheckpointTest, HurriedStopLimitsTheLastSave) {
  CancelToken stop;
  const LastSaveLimit limit(stop, {.within = absl::Milliseconds(500)});
  stop.Cancel(CancelKind::kHandBack, "TERM");
  absl::SleepFor(absl::Milliseconds(100));
  EXPECT_FALSE(limit.files().cancelled());
  stop.Hurry();
  EXPECT_TRUE(Eventually([&] { return limit.files().cancelled(); }));
  EXPECT_TRUE(Eventually([&] { return limit.save().cancelled(); }));
}

TEST_F(TaskCheckpointTest, RemovalLeavesNothing) {
  const auto first = MakeAttempt(1);
  first->BeginSaves(cancel_);
  Write("a", "1");
  first->EndSaves();
  ASSERT_TRUE(first->SaveLast(nullptr));
  ASSERT_GT(CountObjects(), 0);
  const auto removal = first->Removal();
  ASSERT_TRUE(removal);
  removal(CancelToken());
  EXPECT_EQ(CountObjects(), 0);
}

TEST_F(TaskCheckpointTest, RefusedRemovalIsLoggedOnce) {
  failing_.Add({.method = StoreMethod::kRemove, .status = absl::PermissionDeniedError("403")});
  for (int attempt = 1; attempt <= 2; ++attempt) {
    const auto run = MakeAttempt(attempt);
    run->BeginSaves(cancel_);
    Write("a", absl::StrCat(attempt));
    run->EndSaves();
    ASSERT_TRUE(run->SaveLast(nullptr));
    run->Removal()(CancelToken());
  }
  EXPECT_EQ(CountInLog("stay in the store"), 1);
}

TEST(CheckpointUrl, IsBesideTheResult) {
  EXPECT_EQ(CheckpointUrl("gs://b/job/1/result.json"), "gs://b/job/1/sparkles-checkpoint");
  EXPECT_EQ(CheckpointUrl("file:///out/7.json"), "file:///out/sparkles-checkpoint/7.json");
  EXPECT_EQ(CheckpointUrl("gs://b"), "");
  EXPECT_EQ(CheckpointUrl(""), "");
}

}  // namespace
}  // namespace sparkles
