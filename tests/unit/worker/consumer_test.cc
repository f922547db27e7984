#include "worker/consumer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/support/fake_clock.h"
#include "tests/support/mem_queue.h"
#include "tests/support/recorded_log.h"

namespace sparkles {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;
using testing::SizeIs;

Outcome Completed() {
  Outcome outcome;
  outcome.kind = Outcome::Kind::kComplete;
  outcome.exit_code = "0";
  return outcome;
}

Outcome EndedAs(Outcome::Kind kind, bool machine_fault = false) {
  Outcome outcome;
  outcome.kind = kind;
  outcome.failure_reason = "why";
  outcome.machine_fault = machine_fault;
  return outcome;
}

// Matches a backoff: at least half of `most`, at most all of it.
MATCHER_P(AboutHalfTo, most, "") { return most / 2 <= arg && arg <= most; }

class ConsumerTest : public testing::Test {
 protected:
  static std::vector<Task> Tasks(int count) {
    std::vector<Task> tasks(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) tasks[static_cast<size_t>(i)].id = absl::StrCat("t", i + 1);
    return tasks;
  }

  // Runs the loop over `count` tasks, which end as `execute_` returns.
  Consumer::End Run(int count) {
    tasks_.emplace(Tasks(count), clock_);
    queue_.emplace(*tasks_, "us");
    queue_->can_receive_new_tasks = can_receive_new_tasks_;
    queue_->claim_errors = claim_errors_;
    queue_->finish_errors = finish_errors_;
    queue_->hand_back_errors = hand_back_errors_;
    Consumer consumer({.linger = linger_}, clock_, *queue_, stop_, recorded_.log());
    return consumer.Run([this](const Claim& claim, const CancelToken& cancel, auto) {
      executed_.push_back(claim.task.id);
      return execute_(claim, cancel);
    });
  }

  TaskStatus StatusOf(const std::string& id) const { return tasks_->Find(id).status; }

  std::function<Outcome(const Claim&, const CancelToken&)> execute_ =
      [](const Claim&, const CancelToken&) { return Completed(); };
  absl::Duration linger_ = absl::ZeroDuration();
  bool can_receive_new_tasks_ = false;
  std::vector<absl::Status> claim_errors_;
  std::vector<absl::Status> finish_errors_;
  std::vector<absl::Status> hand_back_errors_;

  std::vector<std::string> executed_;
  FakeClock clock_;
  CancelToken stop_;
  RecordedLog recorded_;
  std::optional<MemTasks> tasks_;
  std::optional<MemQueue> queue_;
};

TEST_F(ConsumerTest, TasksAreClaimedRunAndFinished) {
  EXPECT_EQ(Run(3), Consumer::End::kQueueEmpty);
  EXPECT_THAT(executed_, ElementsAre("t1", "t2", "t3"));
  for (const std::string& id : executed_) {
    EXPECT_EQ(StatusOf(id), TaskStatus::kComplete);
    EXPECT_EQ(tasks_->Find(id).exit_code, "0");
  }
  EXPECT_THAT(clock_.sleeps(), IsEmpty());
}

TEST_F(ConsumerTest, FailedAndKilledTasksAreRecorded) {
  execute_ = [](const Claim& claim, const CancelToken&) {
    return EndedAs(claim.task.id == "t1" ? Outcome::Kind::kFailed : Outcome::Kind::kKilled);
  };
  EXPECT_EQ(Run(2), Consumer::End::kQueueEmpty);
  EXPECT_EQ(StatusOf("t1"), TaskStatus::kFailed);
  EXPECT_EQ(StatusOf("t2"), TaskStatus::kKilled);
  EXPECT_EQ(tasks_->Find("t1").failure_reason, "why");
}

TEST_F(ConsumerTest, OnlyRecordedEndsAreCleanedUpAfter) {
  std::vector<std::string> cleaned;
  execute_ = [&](const Claim& claim, const CancelToken&) {
    Outcome outcome = claim.task.id == "t1" && claim.attempt == 1
                          ? EndedAs(Outcome::Kind::kHandBack)
                          : Completed();
    outcome.when_ended = [&cleaned, this, claim](const CancelToken&) {
      EXPECT_EQ(StatusOf(claim.task.id), TaskStatus::kComplete);
      cleaned.push_back(absl::StrCat(claim.task.id, " ", claim.attempt));
    };
    return outcome;
  };
  // t2 is lost.
  finish_errors_ = {absl::AbortedError("the claim is lost")};
  Run(2);
  EXPECT_THAT(cleaned, testing::Not(testing::Contains("t1 1")));
  EXPECT_THAT(cleaned, testing::Not(IsEmpty()));
}

TEST_F(ConsumerTest, HandedBackTaskIsClaimedAgain) {
  execute_ = [this](const Claim& claim, const CancelToken&) {
    EXPECT_EQ(claim.attempt, static_cast<int>(executed_.size()));
    return executed_.size() == 1 ? EndedAs(Outcome::Kind::kHandBack) : Completed();
  };
  Run(1);
  EXPECT_THAT(executed_, SizeIs(2));
  const auto entry = tasks_->Find("t1");
  EXPECT_EQ(entry.status, TaskStatus::kComplete);
  ASSERT_THAT(entry.history, SizeIs(4));
  EXPECT_EQ(entry.history[1].status, "reset");
  EXPECT_EQ(entry.history[1].failure_reason, "why");
}

TEST_F(ConsumerTest, LostClaimIsNotRecorded) {
  execute_ = [](const Claim&, const CancelToken&) { return EndedAs(Outcome::Kind::kClaimLost); };
  Run(1);
  EXPECT_EQ(tasks_->Find("t1").history.size(), 1U);
  EXPECT_THAT(recorded_.Text(), HasSubstr("[t1] dropped: why"));
}

TEST_F(ConsumerTest, FailedFinishIsRetriedWithBackoff) {  // D20
  finish_errors_.assign(3, absl::UnavailableError("503"));
  EXPECT_EQ(Run(2), Consumer::End::kQueueEmpty);
  EXPECT_EQ(StatusOf("t1"), TaskStatus::kComplete);
  EXPECT_EQ(StatusOf("t2"), TaskStatus::kComplete);
  EXPECT_THAT(executed_, ElementsAre("t1", "t2"));
  EXPECT_THAT(clock_.sleeps(), ElementsAre(AboutHalfTo(absl::Milliseconds(100)),
                                           AboutHalfTo(absl::Milliseconds(200)),
                                           AboutHalfTo(absl::Milliseconds(400))));
}

TEST_F(ConsumerTest, FullDiskFreesDirectoryBeforeRetry) {
  bool removed = false;
  execute_ = [&removed](const Claim&, const CancelToken&) {
    Outcome outcome = Completed();
    outcome.directory = std::shared_ptr<void>(nullptr, [&removed](void*) { removed = true; });
    return outcome;
  };
  const absl::Status full = ErrnoError(ENOSPC, "tasks.json.state");
  finish_errors_ = {absl::UnavailableError("503"), full, full};
  size_t sleeps = 0;
  clock_.OnSleep([&](size_t) {
    EXPECT_EQ(removed, ++sleeps > 1) << "the removal may free the missing space";
    EXPECT_EQ(StatusOf("t1"), TaskStatus::kClaimed);
  });
  EXPECT_EQ(Run(1), Consumer::End::kQueueEmpty);
  EXPECT_EQ(StatusOf("t1"), TaskStatus::kComplete);
}

TEST_F(ConsumerTest, FailedHandBackIsRetried) {
  hand_back_errors_.assign(3, absl::UnavailableError("503"));
  execute_ = [this](const Claim&, const CancelToken&) {
    stop_.Cancel(CancelKind::kHandBack, "SIGTERM");
    return EndedAs(Outcome::Kind::kHandBack);
  };
  EXPECT_EQ(Run(1), Consumer::End::kStopped);
  EXPECT_EQ(StatusOf("t1"), TaskStatus::kPending);
}

TEST_F(ConsumerTest, UnrecordableEndLeavesTaskClaimed) {
  finish_errors_.assign(1000, absl::UnavailableError("503"));
  const absl::Time start = clock_.Now();
  EXPECT_EQ(Run(2), Consumer::End::kQueueEmpty);
  EXPECT_THAT(executed_, ElementsAre("t1", "t2"));
  EXPECT_EQ(StatusOf("t1"), TaskStatus::kClaimed);
  EXPECT_THAT(queue_->given_up, ElementsAre("t1", "t2"));
  EXPECT_THAT(clock_.Now() - start, AllOf(Ge(2 * absl::Minutes(4)), Le(2 * absl::Minutes(5))));
  EXPECT_THAT(clock_.sleeps(), Each(Le(absl::Seconds(30))));
}

TEST_F(ConsumerTest, StopLimitsTimeToRecordEnd) {
  finish_errors_.assign(1000, absl::UnavailableError("503"));
  absl::Time stopped_at;
  clock_.OnSleep([&](size_t count) {
    if (count != 3) return;
    stop_.Cancel(CancelKind::kHandBack, "SIGTERM");
    stopped_at = clock_.Now();
  });
  EXPECT_EQ(Run(1), Consumer::End::kStopped);
  EXPECT_THAT(clock_.Now() - stopped_at, AllOf(Ge(absl::Seconds(15)), Le(absl::Seconds(17))));
}

TEST_F(ConsumerTest, ResultOfLostClaimIsDropped) {  // D17, D20
  execute_ = [this](const Claim& claim, const CancelToken&) {
    if (executed_.size() == 1) tasks_->Reset(claim.task.id);
    return Completed();
  };
  EXPECT_EQ(Run(1), Consumer::End::kQueueEmpty);
  EXPECT_THAT(executed_, ElementsAre("t1", "t1"));
  EXPECT_THAT(clock_.sleeps(), IsEmpty());
  EXPECT_THAT(recorded_.Text(), HasSubstr("[t1] the result is dropped, because the claim is lost"));
}

TEST_F(ConsumerTest, AbandonedOutcomeMarksHandBack) {
  execute_ = [this](const Claim&, const CancelToken&) {
    stop_.Cancel(CancelKind::kHandBack, "SIGTERM");
    Outcome outcome = EndedAs(Outcome::Kind::kHandBack);
    outcome.abandoned = true;
    return outcome;
  };
  EXPECT_EQ(Run(9), Consumer::End::kStopped);
  EXPECT_EQ(tasks_->Find("t1").failure_reason, "abandoned: why");
}

TEST_F(ConsumerTest, FiveMachineFaultsEndWorker) {  // D31
  execute_ = [](const Claim&, const CancelToken&) {
    return EndedAs(Outcome::Kind::kHandBack, /*machine_fault=*/true);
  };
  EXPECT_EQ(Run(9), Consumer::End::kMachineUnfit);
  EXPECT_THAT(executed_, SizeIs(5));
  EXPECT_EQ(StatusOf("t1"), TaskStatus::kPending);
  EXPECT_EQ(tasks_->Find("t1").failure_reason, "machine fault: why");
  EXPECT_THAT(clock_.sleeps(), ElementsAre(absl::Milliseconds(500), absl::Seconds(1),
                                           absl::Seconds(2), absl::Seconds(4)));
}

TEST_F(ConsumerTest, FiveMissingPermissionsEndWorker) {
  execute_ = [this](const Claim&, const CancelToken&) {
    Outcome outcome = EndedAs(Outcome::Kind::kFailed);
    // The third task lacks another permission, so the count starts again.
    outcome.lacks_permission = executed_.size() == 3 ? "read from gs://a" : "write to gs://b";
    return outcome;
  };
  EXPECT_EQ(Run(10), Consumer::End::kMachineUnfit);
  EXPECT_THAT(executed_, SizeIs(8));
  EXPECT_EQ(StatusOf("t8"), TaskStatus::kFailed);
  EXPECT_EQ(StatusOf("t9"), TaskStatus::kPending);
  EXPECT_THAT(recorded_.Text(), HasSubstr("this worker may not write to gs://b"));
}

TEST_F(ConsumerTest, CompleteTaskResetsFaultCount) {
  execute_ = [this](const Claim&, const CancelToken&) {
    return executed_.size() % 5 == 0 ? Completed() : EndedAs(Outcome::Kind::kHandBack, true);
  };
  EXPECT_EQ(Run(3), Consumer::End::kQueueEmpty);
  EXPECT_THAT(executed_, SizeIs(15));
}

TEST_F(ConsumerTest, OrdinaryHandBackIsNotCounted) {
  execute_ = [this](const Claim&, const CancelToken&) {
    return executed_.size() <= 6 ? EndedAs(Outcome::Kind::kHandBack) : Completed();
  };
  EXPECT_EQ(Run(1), Consumer::End::kQueueEmpty);
  EXPECT_THAT(executed_, SizeIs(7));
}

TEST_F(ConsumerTest, EmptyFirstClaimIsRepeated) {  // D34
  can_receive_new_tasks_ = true;
  EXPECT_EQ(Run(0), Consumer::End::kQueueEmpty);
  EXPECT_THAT(clock_.sleeps(), ElementsAre(absl::Seconds(10)));
}

TEST_F(ConsumerTest, EmptyFixedQueueEndsWorker) {
  EXPECT_EQ(Run(0), Consumer::End::kQueueEmpty);
  EXPECT_THAT(clock_.sleeps(), IsEmpty());
}

TEST_F(ConsumerTest, EmptyLaterClaimEndsWorker) {
  can_receive_new_tasks_ = true;
  EXPECT_EQ(Run(1), Consumer::End::kQueueEmpty);
  EXPECT_THAT(clock_.sleeps(), IsEmpty());
}

TEST_F(ConsumerTest, EmptyClaimAfterErrorIsRepeated) {
  can_receive_new_tasks_ = true;
  claim_errors_ = {absl::UnavailableError("503")};
  EXPECT_EQ(Run(0), Consumer::End::kQueueEmpty);
  EXPECT_THAT(clock_.sleeps(),
              ElementsAre(AboutHalfTo(absl::Milliseconds(100)), absl::Seconds(10)));
}

TEST_F(ConsumerTest, EmptyQueueIsPolledWhileLingering) {
  linger_ = absl::Milliseconds(2500);
  EXPECT_EQ(Run(0), Consumer::End::kQueueEmpty);
  EXPECT_THAT(clock_.sleeps(),
              ElementsAre(absl::Seconds(1), absl::Seconds(1), absl::Milliseconds(500)));
}

TEST_F(ConsumerTest, LingerCountsFromTaskEnd) {  // D05
  linger_ = absl::Seconds(2);
  execute_ = [this](const Claim&, const CancelToken&) {
    clock_.Advance(absl::Hours(3));
    return Completed();
  };
  Run(1);
  EXPECT_THAT(clock_.sleeps(), ElementsAre(absl::Seconds(1), absl::Seconds(1)));
}

TEST_F(ConsumerTest, TaskArrivingWhileLingeringIsRun) {
  linger_ = absl::Seconds(2);
  clock_.OnSleep([this](size_t count) {
    if (count == 2) tasks_->Reset("t1");
  });
  Run(1);
  EXPECT_THAT(executed_, ElementsAre("t1", "t1"));
  EXPECT_THAT(clock_.sleeps(), SizeIs(4));
}

TEST_F(ConsumerTest, ClaimErrorsAreRetriedWithBackoff) {  // D18, D19
  claim_errors_.assign(12, absl::UnavailableError("503"));
  EXPECT_EQ(Run(1), Consumer::End::kQueueEmpty);
  EXPECT_THAT(executed_, ElementsAre("t1"));
  EXPECT_THAT(clock_.sleeps(), SizeIs(12));
  EXPECT_THAT(clock_.sleeps()[0], AboutHalfTo(absl::Milliseconds(100)));
  EXPECT_THAT(clock_.sleeps()[1], AboutHalfTo(absl::Milliseconds(200)));
  EXPECT_THAT(clock_.sleeps()[11], AboutHalfTo(absl::Seconds(30)));
}

TEST_F(ConsumerTest, LingerStartsAfterClaimErrors) {
  linger_ = absl::Seconds(1);
  claim_errors_.assign(12, absl::UnavailableError("503"));
  Run(0);
  EXPECT_EQ(clock_.sleeps().back(), absl::Seconds(1));
}

TEST_F(ConsumerTest, StopBeforeFirstClaimClaimsNothing) {
  stop_.Cancel(CancelKind::kHandBack, "SIGTERM");
  EXPECT_EQ(Run(1), Consumer::End::kStopped);
  EXPECT_EQ(StatusOf("t1"), TaskStatus::kPending);
}

TEST_F(ConsumerTest, StopCancelsTaskAndEndsClaiming) {
  execute_ = [this](const Claim&, const CancelToken& cancel) {
    stop_.Cancel(CancelKind::kHandBack, "SIGTERM");
    EXPECT_EQ(cancel.kind(), CancelKind::kHandBack);
    EXPECT_EQ(cancel.reason(), "SIGTERM");
    return EndedAs(Outcome::Kind::kHandBack);
  };
  EXPECT_EQ(Run(2), Consumer::End::kStopped);
  EXPECT_THAT(executed_, ElementsAre("t1"));
  EXPECT_EQ(StatusOf("t1"), TaskStatus::kPending);
  EXPECT_EQ(tasks_->Find("t1").failure_reason, "why");
}

TEST_F(ConsumerTest, EndIsRecordedDespiteStop) {
  finish_errors_.assign(3, absl::UnavailableError("503"));
  execute_ = [this](const Claim&, const CancelToken&) {
    stop_.Cancel(CancelKind::kHandBack, "SIGTERM");
    return Completed();
  };
  EXPECT_EQ(Run(1), Consumer::End::kStopped);
  EXPECT_EQ(StatusOf("t1"), TaskStatus::kComplete);
}

TEST_F(ConsumerTest, StopEndsWaitForFirstTask) {
  clock_.OnSleep([this](size_t) { stop_.Cancel(CancelKind::kHandBack, "SIGTERM"); });
  can_receive_new_tasks_ = true;  // the first query is empty
  EXPECT_EQ(Run(0), Consumer::End::kStopped);
  EXPECT_THAT(clock_.sleeps(), SizeIs(1));
}

TEST_F(ConsumerTest, StopEndsLingering) {
  linger_ = absl::Hours(1);
  clock_.OnSleep([this](size_t count) {
    if (count == 3) stop_.Cancel(CancelKind::kHandBack, "SIGTERM");
  });
  EXPECT_EQ(Run(0), Consumer::End::kStopped);
  EXPECT_THAT(clock_.sleeps(), SizeIs(3));
}

TEST_F(ConsumerTest, StopEndsBackoff) {
  claim_errors_.assign(5, absl::UnavailableError("503"));
  clock_.OnSleep([this](size_t) { stop_.Cancel(CancelKind::kHandBack, "SIGTERM"); });
  EXPECT_EQ(Run(1), Consumer::End::kStopped);
  EXPECT_THAT(executed_, IsEmpty());
}

TEST_F(ConsumerTest, StopWinsOverMachineFaults) {
  execute_ = [](const Claim&, const CancelToken&) {
    return EndedAs(Outcome::Kind::kHandBack, true);
  };
  clock_.OnSleep([this](size_t count) {
    if (count == 2) stop_.Cancel(CancelKind::kHandBack, "SIGTERM");
  });
  EXPECT_EQ(Run(9), Consumer::End::kStopped);
  EXPECT_THAT(executed_, SizeIs(2));
}

TEST_F(ConsumerTest, MissingStateFileEndsWorker) {
  const absl::Time start = clock_.Now();
  claim_errors_.assign(1000, absl::NotFoundError("tasks.json.state: no such file"));
  EXPECT_EQ(Run(1), Consumer::End::kQueueBroken);
  const absl::Duration slept = clock_.Now() - start;
  EXPECT_GE(slept, absl::Minutes(5));
  EXPECT_LE(slept, absl::Minutes(11));  // five more for a claim whose answer may be lost
  EXPECT_THAT(recorded_.Text(), HasSubstr("could not be used for 5m"));
}

// A queue that is stopped during its search for a task.
class StoppingQueue : public Queue {
 public:
  explicit StoppingQueue(CancelToken& stop) : stop_(stop) {}
  absl::StatusOr<std::optional<Claim>> ClaimOne(const CancelToken&) override {
    stop_.Cancel(CancelKind::kHandBack, "SIGTERM");
    return std::nullopt;
  }
  absl::Status Finish(const Claim&, const Outcome&) override { return absl::OkStatus(); }
  absl::Status HandBack(const Claim&, const std::string&) override { return absl::OkStatus(); }
  absl::StatusOr<ClaimState> Check(const Claim&, const CancelToken&) override {
    return ClaimState::kHeld;
  }
  bool CanReceiveNewTasks() const override { return false; }

 private:
  CancelToken& stop_;
};

TEST_F(ConsumerTest, StopDuringClaimEndsAsStopped) {
  StoppingQueue queue(stop_);
  Consumer consumer({.linger = absl::ZeroDuration()}, clock_, queue, stop_, recorded_.log());
  EXPECT_EQ(consumer.Run([](const Claim&, const CancelToken&, auto) { return Completed(); }),
            Consumer::End::kStopped);
}

}  // namespace
}  // namespace sparkles
