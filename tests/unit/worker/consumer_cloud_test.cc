// Tests of the consumer with a queue that many workers share.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/status.h"
#include "tests/support/fake_clock.h"
#include "tests/support/mem_queue.h"
#include "tests/support/recorded_log.h"
#include "worker/consumer.h"

namespace sparkles {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;
using testing::Not;

class ConsumerCloudTest : public testing::Test {
 protected:
  Consumer::End Run(MemQueue& queue, ConsumerOptions options) {
    Consumer consumer(options, clock_, queue, stop_, recorded_.log());
    return consumer.Run([this](const Claim&, const CancelToken& cancel, auto) {
      ++runs_;
      Outcome outcome;
      outcome.kind = Outcome::Kind::kComplete;
      outcome.exit_code = "0";
      while (wait_for_cancel_ && !cancel.cancelled()) std::this_thread::yield();
      if (cancel.kind() == CancelKind::kClaimLost) outcome.kind = Outcome::Kind::kClaimLost;
      if (wait_for_cancel_) stop_.Cancel(CancelKind::kHandBack, "that was the test");
      return outcome;
    });
  }

  static std::vector<Task> OneTask() {
    Task task;
    task.id = "job.1";
    return {task};
  }

  FakeClock clock_;
  RecordedLog recorded_;
  CancelToken stop_;
  int runs_ = 0;
  bool wait_for_cancel_ = false;  // the last task runs until it is cancelled
};

TEST_F(ConsumerCloudTest, ContentionIsRetriedAtOnce) {  // D19
  MemTasks tasks(OneTask(), clock_);
  MemQueue queue(tasks, "a");
  queue.claim_errors.assign(50, absl::AbortedError("others were faster"));
  EXPECT_EQ(Run(queue, {absl::ZeroDuration()}), Consumer::End::kQueueEmpty);
  EXPECT_EQ(runs_, 1);
  EXPECT_THAT(recorded_.Text(), Not(HasSubstr("WARN")));
  for (const absl::Duration sleep : clock_.sleeps()) EXPECT_LE(sleep, absl::Seconds(1));
}

TEST_F(ConsumerCloudTest, LingerStartsAnewAfterLostClaim) {
  MemTasks tasks({}, clock_);
  MemQueue queue(tasks, "a");
  absl::Time lost_at;
  clock_.OnSleep([&](size_t count) {
    if (count != 3) return;
    queue.claim_errors = {absl::AbortedError("a claim was lost")};
    lost_at = clock_.Now();
  });
  EXPECT_EQ(Run(queue, {absl::Seconds(10)}), Consumer::End::kQueueEmpty);
  EXPECT_GE(clock_.Now() - lost_at, absl::Seconds(10));
}

TEST_F(ConsumerCloudTest, IdleWorkerAsksLessOften) {
  MemTasks tasks({}, clock_);
  MemQueue queue(tasks, "a");
  queue.can_receive_new_tasks = true;
  EXPECT_EQ(Run(queue, {absl::Minutes(10)}), Consumer::End::kQueueEmpty);
  const auto sleeps = clock_.sleeps();
  EXPECT_EQ(sleeps[0], absl::Seconds(10));  // new tasks may appear late
  EXPECT_LE(sleeps[1], absl::Seconds(1));
  EXPECT_GE(sleeps[sleeps.size() - 2], absl::Milliseconds(2500));
  EXPECT_LE(sleeps[sleeps.size() - 2], absl::Seconds(5));
}

TEST_F(ConsumerCloudTest, OutageAtStartKeepsSecondQuery) {
  MemTasks tasks({}, clock_);
  MemQueue queue(tasks, "a");
  queue.can_receive_new_tasks = true;
  queue.claim_errors = {absl::UnavailableError("503")};
  EXPECT_EQ(Run(queue, {absl::ZeroDuration()}), Consumer::End::kQueueEmpty);
  EXPECT_EQ(clock_.sleeps().back(), absl::Seconds(10));
}

TEST_F(ConsumerCloudTest, EndIsRecordedAfterHourOfOutage) {  // D20
  MemTasks tasks(OneTask(), clock_);
  MemQueue queue(tasks, "a");
  queue.finish_errors.assign(300, absl::UnavailableError("503"));
  const absl::Time start = clock_.Now();
  ConsumerOptions options{absl::ZeroDuration()};
  options.record_max_elapsed = absl::Hours(24);
  EXPECT_EQ(Run(queue, options), Consumer::End::kQueueEmpty);
  EXPECT_EQ(tasks.Find("job.1").status, TaskStatus::kComplete);
  EXPECT_GT(clock_.Now() - start, absl::Hours(1));
}

TEST_F(ConsumerCloudTest, RetriesOfEndAreLimited) {
  const std::pair<absl::Status, absl::Duration> cases[] = {
      {absl::UnavailableError("503"), absl::Hours(6)},
      {absl::InvalidArgumentError("400"), absl::Minutes(5)}};
  for (const auto& [error, max_elapsed] : cases) {
    MemTasks tasks(OneTask(), clock_);
    MemQueue queue(tasks, "a");
    queue.finish_errors.assign(2000, error);
    const absl::Time start = clock_.Now();
    ConsumerOptions options{absl::ZeroDuration()};
    options.record_max_elapsed = absl::Hours(6);
    EXPECT_EQ(Run(queue, options), Consumer::End::kQueueEmpty);
    EXPECT_THAT(queue.given_up, ElementsAre("job.1"));
    EXPECT_THAT(clock_.Now() - start, AllOf(Ge(max_elapsed - absl::Minutes(1)), Le(max_elapsed)));
  }
}

TEST_F(ConsumerCloudTest, UnfitMachineClaimsNothing) {  // D31
  MemTasks tasks(OneTask(), clock_);
  MemQueue queue(tasks, "a");
  ConsumerOptions options{absl::ZeroDuration()};
  options.check_machine = [looks = 0]() mutable {
    return ++looks <= 3 ? absl::ResourceExhaustedError("no space") : absl::OkStatus();
  };
  EXPECT_EQ(Run(queue, options), Consumer::End::kQueueEmpty);
  EXPECT_EQ(tasks.Find("job.1").status, TaskStatus::kComplete);
  EXPECT_EQ(clock_.sleeps(), std::vector<absl::Duration>(3, absl::Seconds(10)));
  EXPECT_THAT(recorded_.Text(), HasSubstr("nothing is claimed now: no space"));
}

TEST_F(ConsumerCloudTest, MachineThatStaysUnfitEndsWorker) {  // D31
  MemTasks tasks(OneTask(), clock_);
  MemQueue queue(tasks, "a");
  ConsumerOptions options{absl::Hours(9)};
  options.check_machine = [] { return absl::ResourceExhaustedError("no space"); };
  const absl::Time start = clock_.Now();
  EXPECT_EQ(Run(queue, options), Consumer::End::kMachineUnfit);
  EXPECT_GE(clock_.Now() - start, absl::Minutes(5));
  EXPECT_EQ(tasks.Find("job.1").status, TaskStatus::kPending);
}

TEST_F(ConsumerCloudTest, UnwritableJournalEndsWorker) {
  MemTasks tasks(OneTask(), clock_);
  MemQueue queue(tasks, "a");
  queue.can_receive_new_tasks = true;
  const absl::Status no_space = ClaimNotPersistable(absl::UnknownError("journal: no space"));
  queue.claim_errors.assign(3, no_space);
  EXPECT_EQ(Run(queue, {absl::ZeroDuration()}), Consumer::End::kQueueEmpty);  // it has passed
  const absl::Time start = clock_.Now();
  queue.claim_errors.assign(100, no_space);
  queue.claim_errors[3] = absl::AbortedError("others were faster");
  EXPECT_EQ(Run(queue, {absl::ZeroDuration()}), Consumer::End::kMachineUnfit);
  EXPECT_GE(clock_.Now() - start, absl::Minutes(5));
}

TEST_F(ConsumerCloudTest, ContentionKeepsMachineFit) {
  MemTasks tasks(OneTask(), clock_);
  MemQueue queue(tasks, "a");
  queue.can_receive_new_tasks = true;
  queue.claim_errors.assign(1000, absl::AbortedError("others were faster"));
  queue.claim_errors[0] = ClaimNotPersistable(absl::UnknownError("journal: no space"));
  const absl::Time start = clock_.Now();
  EXPECT_EQ(Run(queue, {absl::ZeroDuration()}), Consumer::End::kQueueEmpty);
  EXPECT_GE(clock_.Now() - start, absl::Minutes(5));
}

TEST_F(ConsumerCloudTest, EndsRecordedByQueueAreLogged) {
  MemTasks tasks(OneTask(), clock_);
  MemQueue queue(tasks, "a");
  queue.ends = {{"job.7", Outcome::Kind::kFailed, "args: is missing"}};
  EXPECT_EQ(Run(queue, {absl::ZeroDuration()}), Consumer::End::kQueueEmpty);
  EXPECT_THAT(recorded_.Text(), HasSubstr("[job.7] failed: args: is missing"));
}

TEST_F(ConsumerCloudTest, RefusedCredentialsAreRetriedForEver) {
  MemTasks tasks(OneTask(), clock_);
  MemQueue queue(tasks, "a");
  queue.can_receive_new_tasks = true;
  const absl::Status refused = MachineFault(absl::FailedPreconditionError("the proxy refuses"));
  queue.claim_errors.assign(100, refused);  // for about 40 minutes
  EXPECT_EQ(Run(queue, {absl::ZeroDuration()}), Consumer::End::kQueueEmpty);
  EXPECT_EQ(tasks.Find("job.1").status, TaskStatus::kComplete);
}

TEST_F(ConsumerCloudTest, DrainFinishesTaskAndClaimsNoMore) {
  std::vector<Task> two = OneTask();
  two.push_back(two[0]);
  two[1].id = "job.2";
  MemTasks tasks(two, clock_);
  MemQueue queue(tasks, "a");
  CancelToken drain(&stop_);
  ConsumerOptions options{absl::Hours(1)};
  options.drain = &drain;
  Consumer consumer(options, clock_, queue, stop_, recorded_.log());
  const Consumer::End end = consumer.Run([&](const Claim&, const CancelToken& cancel, auto) {
    drain.Cancel(CancelKind::kAbort, "SIGUSR1");
    EXPECT_FALSE(cancel.cancelled());
    Outcome outcome;
    outcome.kind = Outcome::Kind::kComplete;
    return outcome;
  });
  EXPECT_EQ(end, Consumer::End::kDrained);
  EXPECT_EQ(tasks.Find("job.1").status, TaskStatus::kComplete);
  EXPECT_EQ(tasks.Find("job.2").status, TaskStatus::kPending);
}

// Loses the answer of a claim, and reports the claim only after more errors.
class ForgetfulQueue : public MemQueue {
 public:
  ForgetfulQueue(MemTasks& tasks, int errors) : MemQueue(tasks, "a"), errors_(errors) {
    can_receive_new_tasks = true;
  }
  absl::StatusOr<std::optional<Claim>> ClaimOne(const CancelToken& cancel) override {
    if (!claim_) claim_ = MemQueue::ClaimOne(cancel).value();
    if (errors_-- > 0) return absl::UnavailableError("no clear answer");
    return std::exchange(claim_, std::nullopt);
  }
  absl::Status RevokeUnknownClaim(const std::string& reason) override {
    if (errors_-- > 0) return absl::UnavailableError("no clear answer");
    return claim_ ? HandBack(*std::exchange(claim_, std::nullopt), reason) : absl::OkStatus();
  }

 private:
  int errors_;
  std::optional<Claim> claim_;
};

TEST_F(ConsumerCloudTest, StopOrDrainRevokesUnknownClaim) {
  for (const bool drains : {false, true}) {
    MemTasks tasks(OneTask(), clock_);
    ForgetfulQueue queue(tasks, 6);
    CancelToken stop;
    CancelToken drain(&stop);
    clock_.OnSleep(
        [&](size_t) { (drains ? drain : stop).Cancel(CancelKind::kHandBack, "told to go"); });
    ConsumerOptions options{absl::Hours(1)};
    options.drain = &drain;
    Consumer consumer(options, clock_, queue, stop, recorded_.log());
    EXPECT_EQ(consumer.Run([](const Claim&, const CancelToken&, auto) { return Outcome(); }),
              drains ? Consumer::End::kDrained : Consumer::End::kStopped);
    EXPECT_EQ(tasks.Find("job.1").status, TaskStatus::kPending);
    EXPECT_EQ(tasks.Find("job.1").history.back().failure_reason, "told to go");
  }
}

TEST_F(ConsumerCloudTest, LostClaimEndsTaskUnrecorded) {
  MemTasks tasks(OneTask(), clock_);
  MemQueue queue(tasks, "a");
  wait_for_cancel_ = true;
  clock_.OnSleep([&](size_t count) {
    if (count == 1) tasks.Reset("job.1");
  });
  ConsumerOptions options{absl::ZeroDuration()};
  options.watch_period = absl::Seconds(15);
  EXPECT_EQ(Run(queue, options), Consumer::End::kStopped);
  EXPECT_EQ(tasks.Find("job.1").status, TaskStatus::kPending);
  EXPECT_THAT(recorded_.Text(), HasSubstr("dropped"));
}

}  // namespace
}  // namespace sparkles
