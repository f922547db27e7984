#include "worker/consumer.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

constexpr absl::Duration kPollInterval = absl::Seconds(1);
// A fresh task may show up late in a cloud queue: an empty first look is repeated once.
constexpr absl::Duration kFirstLookAgain = absl::Seconds(10);
constexpr absl::Duration kFirstRetry = absl::Milliseconds(100);
constexpr absl::Duration kLongestRetry = absl::Seconds(30);
// With the waits above, these are some minutes; after that the claim is left for others to recover.
constexpr int kRecordTries = 15;

}  // namespace

Consumer::End Consumer::Run(Execute execute) {
  absl::Time idle_since = clock_.Now();
  bool first_look = true;
  absl::Duration retry = kFirstRetry;
  while (!stop_.cancelled()) {
    const Step step = ClaimAndRun(execute);
    if (faults_in_a_row_ >= kMaxMachineFaults) return End::kMachineUnfit;
    if (step == Step::kWorked) {
      // From the end of the task, not from its claim: a long one must not use up the lingering.
      idle_since = clock_.Now();
      retry = kFirstRetry;
    } else if (step == Step::kTrouble) {
      clock_.Sleep(retry, stop_);
      retry = std::min(retry * 2, kLongestRetry);
      idle_since = clock_.Now();
    } else if (first_look && queue_.MoreMayCome()) {
      clock_.Sleep(kFirstLookAgain, stop_);
    } else if (clock_.Now() - idle_since >= options_.linger) {
      return End::kQueueEmpty;
    } else {
      clock_.Sleep(std::min(kPollInterval, options_.linger - (clock_.Now() - idle_since)), stop_);
    }
    first_look = false;
  }
  return End::kStopped;
}

Consumer::Step Consumer::ClaimAndRun(Execute execute) {
  absl::StatusOr<std::optional<Claim>> claimed = queue_.ClaimOne(stop_);
  if (!claimed.ok()) {
    log_.Warning("cannot claim a task now: ", claimed.status().message());
    return Step::kTrouble;
  }
  if (!claimed->has_value()) return Step::kIdle;
  const Claim& claim = **claimed;
  const Log log = log_.WithTask(claim.task.id);
  log.Info("claimed (attempt ", claim.attempt, ")");
  CancelToken cancel(&stop_);
  const Outcome outcome = execute(claim, cancel);
  Record(claim, outcome);
  CountFault(outcome);
  return Step::kWorked;
}

void Consumer::CountFault(const Outcome& outcome) {
  if (!outcome.machine_fault) {
    faults_in_a_row_ = 0;
    return;
  }
  ++faults_in_a_row_;
  log_.Warning("machine fault ", faults_in_a_row_, " of ", kMaxMachineFaults,
               " in a row: ", outcome.failure_reason);
  // What is full or missing now may be better in a moment.
  if (faults_in_a_row_ < kMaxMachineFaults) {
    clock_.Sleep(absl::Milliseconds(250) * (1 << faults_in_a_row_), stop_);
  }
}

void Consumer::Record(const Claim& claim, const Outcome& outcome) {
  const Log log = log_.WithTask(claim.task.id);
  if (outcome.kind == Outcome::Kind::kClaimLost) {
    log.Warning("dropped: ", outcome.failure_reason);
    return;
  }
  const bool hand_back = outcome.kind == Outcome::Kind::kHandBack;
  CancelToken never;  // a stop must not keep us from recording
  absl::Duration retry = kFirstRetry;
  for (int tries = 1;; ++tries) {
    const absl::Status status =
        hand_back ? queue_.HandBack(claim, outcome.failure_reason) : queue_.Finish(claim, outcome);
    if (status.ok()) break;
    if (absl::IsAborted(status)) {
      log.Warning("the result is dropped: the claim is no longer ours: ", status.message());
      return;
    }
    log.Warning("cannot record the end of the task (try ", tries, "): ", status.message());
    if (tries == kRecordTries) return;
    clock_.Sleep(retry, never);
    retry = std::min(retry * 2, kLongestRetry);
  }
  switch (outcome.kind) {
    case Outcome::Kind::kComplete:
      return log.Info("complete, exit code ", outcome.exit_code);
    case Outcome::Kind::kHandBack:
      return log.Warning("handed back: ", outcome.failure_reason);
    default:
      return log.Error(outcome.kind == Outcome::Kind::kKilled ? "killed: " : "failed: ",
                       outcome.failure_reason);
  }
}

}  // namespace sparkles
