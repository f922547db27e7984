#include "worker/consumer.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/backoff.h"
#include "base/status.h"
#include "base/text.h"
#include "worker/claim_watch.h"

namespace sparkles {
namespace {

constexpr absl::Duration kPollInterval = absl::Seconds(1);
// The poll interval grows up to this while a Datastore queue stays empty.
constexpr absl::Duration kLongestPollInterval = absl::Seconds(5);
// Datastore may show new tasks late, so an empty first query is repeated once after this wait.
constexpr absl::Duration kFirstQueryRepeatDelay = absl::Seconds(10);
// The task of another worker may free disk space meanwhile. After this time the machine is unfit.
constexpr absl::Duration kMaxUnfitTime = absl::Minutes(5);
// The file's directory may be missing for a moment. After this time the worker ends with an error.
constexpr absl::Duration kMaxFileErrorTime = absl::Minutes(5);
constexpr absl::Duration kUnfitRecheckInterval = absl::Seconds(10);
constexpr absl::Duration kFirstRetry = absl::Milliseconds(100);
constexpr absl::Duration kLongestRetry = absl::Seconds(30);
constexpr absl::Duration kLongestRetryWhenStopping = absl::Seconds(2);
// A faulty server or proxy may refuse an end for a while, so the end is retried for this time.
constexpr absl::Duration kMaxRefusalTime = absl::Minutes(5);

absl::string_view NameOf(Outcome::Kind kind) {
  switch (kind) {
    case Outcome::Kind::kComplete:
      return "complete";
    case Outcome::Kind::kFailed:
      return "failed";
    case Outcome::Kind::kKilled:
      return "killed";
    case Outcome::Kind::kHandBack:
      return "handed back";
    case Outcome::Kind::kClaimLost:
      break;
  }
  return "lost";
}

std::string HandBackReason(const Outcome& outcome) {
  const absl::string_view prefix = outcome.abandoned       ? kAbandonedPrefix
                                   : outcome.machine_fault ? kMachineFaultPrefix
                                                           : "";
  return absl::StrCat(prefix, outcome.failure_reason);
}

}  // namespace

Consumer::End Consumer::Run(Execute execute) {
  const End end = RunRounds(execute);
  RevokeUnknownClaim();
  return end;
}

void Consumer::RevokeUnknownClaim() {
  const std::string reason = no_more_claims().cancelled() ? no_more_claims().reason()
                                                          : std::string("its worker had to end");
  const absl::Status settled = RetryUntilDeadline(
      [&] { return queue_.RevokeUnknownClaim(reason); },
      [this](int, const absl::Status& error) {
        log_.Warning("cannot find out whether the last task is claimed: ", error.message());
      });
  LogRecordedEnds();
  if (!settled.ok()) log_.Error("a task may stay claimed: ", settled.message());
}

Consumer::End Consumer::RunRounds(Execute execute) {
  absl::Time idle_since = clock_.Now();
  bool first_look = true;
  Backoff backoff(kFirstRetry, kLongestRetry, 0.5);
  absl::Time unfit_since = absl::InfiniteFuture();
  absl::Time trouble_since = absl::InfiniteFuture();
  while (!no_more_claims().cancelled()) {
    if (!WaitUntilFit()) return End::kMachineUnfit;
    if (no_more_claims().cancelled()) break;
    if (IsStreakOver()) return End::kMachineUnfit;  // other slots have met the faults
    const Round round = ClaimAndRun(execute);
    if (IsStreakOver()) return End::kMachineUnfit;
    if (round == Round::kBroken) return End::kQueueBroken;
    const absl::Time now = clock_.Now();
    if (round != Round::kContended) {  // contention says nothing about either
      unfit_since = round == Round::kUnfit ? std::min(unfit_since, now) : absl::InfiniteFuture();
      trouble_since =
          round == Round::kTrouble ? std::min(trouble_since, now) : absl::InfiniteFuture();
    }
    if (round == Round::kUnfit && now - unfit_since >= kMaxUnfitTime) {
      log_.Error("this machine could not claim a task for ", absl::FormatDuration(kMaxUnfitTime),
                 ": the worker ends");
      return End::kMachineUnfit;
    }
    if (round == Round::kTrouble && !queue_.CanReceiveNewTasks() &&
        now - trouble_since >= kMaxFileErrorTime) {
      log_.Error("the tasks file or its state could not be used for ",
                 absl::FormatDuration(kMaxFileErrorTime), ": the worker ends");
      return End::kQueueBroken;
    }
    if (round == Round::kTrouble || round == Round::kUnfit) {
      clock_.Sleep(backoff.Next(), no_more_claims());
      idle_since = clock_.Now();
      continue;  // first_look stays true after an outage
    }
    backoff.Reset();
    if (round == Round::kWorked) {
      // Lingering starts at the end of the task, so that a long task does not shorten it.
      idle_since = clock_.Now();
    } else if (round == Round::kContended) {
      idle_since = clock_.Now();
      clock_.Sleep(Jitter(kPollInterval, 0), no_more_claims());
    } else if (no_more_claims().cancelled()) {
      break;  // the search was cut short, so the queue may not be empty
    } else if (first_look && queue_.CanReceiveNewTasks()) {
      clock_.Sleep(kFirstQueryRepeatDelay, no_more_claims());
    } else if (clock_.Now() - idle_since >= options_.linger) {
      return End::kQueueEmpty;
    } else {
      clock_.Sleep(IdleWait(clock_.Now() - idle_since), no_more_claims());
    }
    first_look = false;
  }
  return stop_.cancelled() ? End::kStopped : End::kDrained;
}

bool Consumer::WaitUntilFit() {
  if (!options_.check_machine) return true;
  const absl::Time started = clock_.Now();
  while (!no_more_claims().cancelled()) {
    const absl::Status fit = options_.check_machine();
    if (fit.ok()) return true;
    log_.Warning("nothing is claimed now: ", fit.message());
    if (clock_.Now() - started >= kMaxUnfitTime) {
      log_.Error("the worker ends, because this machine is unfit: ", fit.message());
      return false;
    }
    clock_.Sleep(kUnfitRecheckInterval, no_more_claims());
  }
  return true;
}

absl::Duration Consumer::IdleWait(absl::Duration idle) {
  absl::Duration wait = kPollInterval;
  if (queue_.CanReceiveNewTasks()) {
    wait = Jitter(std::clamp(idle / 20, kPollInterval, kLongestPollInterval), 0.5);
  }
  return std::min(wait, options_.linger - idle);
}

// A random part of `wait`, at least the fraction `least`, so that a fleet does not ask at once.
absl::Duration Consumer::Jitter(absl::Duration wait, double least) {
  return wait * std::uniform_real_distribution<>(least, 1)(random_);
}

Consumer::Round Consumer::ClaimAndRun(Execute execute) {
  absl::StatusOr<std::optional<Claim>> claimed = queue_.ClaimOne(no_more_claims());
  LogRecordedEnds();
  if (absl::IsAborted(claimed.status())) {
    log_.Debug(claimed.status().message());
    return Round::kContended;
  }
  if (IsQueueBroken(claimed.status())) {
    log_.Error(claimed.status().message());
    return Round::kBroken;
  }
  if (!claimed.ok()) {
    if (!no_more_claims().cancelled()) {
      log_.Warning("cannot claim a task now: ", claimed.status().message());
    }
    return IsClaimNotPersistable(claimed.status()) ? Round::kUnfit : Round::kTrouble;
  }
  if (!claimed->has_value()) return Round::kIdle;
  const Claim& claim = **claimed;
  const Log log = log_.WithTask(claim.task.id);
  log.Info("claimed (attempt ", claim.attempt, ")");
  Outcome outcome = [&] {
    CancelToken cancel(&stop_);
    ClaimWatch watch(options_.watch_period, clock_, queue_, claim, cancel, log);
    return execute(claim, cancel, [&watch](Freshness freshness, const CancelToken& asking) {
      return watch.Confirm(freshness, asking);
    });
  }();
  Record(claim, outcome);
  outcome.directory.reset();
  CountRefusal(outcome);
  if (outcome.machine_fault) {
    CountFault(outcome.failure_reason);
  } else {
    streak().machine_faults = 0;
  }
  return Round::kWorked;
}

void Consumer::LogRecordedEnds() {
  for (const RecordedEnd& end : queue_.TakeRecordedEnds()) {
    const Log log = log_.WithTask(end.task_id);
    if (end.kind == Outcome::Kind::kComplete) {
      log.Info("complete: after earlier failures, the end is recorded now");
    } else {
      log.Warning(NameOf(end.kind), ": ", end.reason);
    }
  }
}

// True if a person must repair the queue. Datastore may always come back.
bool Consumer::IsQueueBroken(const absl::Status& status) const {
  return !queue_.CanReceiveNewTasks() && absl::IsFailedPrecondition(status);
}

bool Consumer::IsStreakOver() {
  if (!streak().is_over()) return false;
  if (!refused_permission_.empty() && streak().refusals >= kMaxRefusals) {
    log_.Error(kMaxRefusals, " tasks in a row failed because this worker may not ",
               refused_permission_, "; the worker ends; grant the role and start the worker again");
  }
  return true;
}

void Consumer::CountFault(absl::string_view reason) {
  const int faults = ++streak().machine_faults;
  log_.Warning("machine fault ", faults, " of ", kMaxMachineFaults, " in a row: ", reason);
  // The cause, for example a full disk, may pass in a moment.
  if (faults < kMaxMachineFaults) {
    clock_.Sleep(absl::Milliseconds(250) * (1 << faults), no_more_claims());
  }
}

void Consumer::CountRefusal(const Outcome& outcome) {
  const bool failed = outcome.kind == Outcome::Kind::kFailed;
  const std::string lacks = failed ? outcome.lacks_permission : "";
  refused_permission_ = lacks;
  if (streak().permission.exchange(TextKey(lacks)) != TextKey(lacks)) streak().refusals = 0;
  if (!lacks.empty()) ++streak().refusals;
}

void Consumer::Record(const Claim& claim, Outcome& outcome) {
  const Log log = log_.WithTask(claim.task.id);
  if (outcome.kind == Outcome::Kind::kClaimLost) {
    log.Warning("dropped: ", outcome.failure_reason);
    return;
  }
  const absl::Status status = RecordWithRetries(claim, outcome, log);
  if (absl::IsAborted(status)) {
    log.Warning("the result is dropped, because the claim is lost: ", status.message());
    return;
  }
  if (!status.ok()) {
    log.Error("the task stays claimed, because its end cannot be recorded: ", status.message());
    if (outcome.kind == Outcome::Kind::kHandBack) outcome.failure_reason = HandBackReason(outcome);
    queue_.LeaveUnrecorded(claim, outcome);
    return;
  }
  if (outcome.kind == Outcome::Kind::kHandBack) {
    return log.Warning("handed back: ", outcome.failure_reason);
  }
  if (outcome.kind == Outcome::Kind::kComplete) {
    log.Info("complete, exit code ", outcome.exit_code);
  } else {
    log.Error(NameOf(outcome.kind), ": ", outcome.failure_reason);
  }
  if (outcome.when_ended) outcome.when_ended(stop_);
}

absl::Status Consumer::RecordWithRetries(const Claim& claim, Outcome& outcome, const Log& log) {
  return RetryUntilDeadline(
      [&] {
        return outcome.kind == Outcome::Kind::kHandBack
                   ? queue_.HandBack(claim, HandBackReason(outcome))
                   : queue_.Finish(claim, outcome);
      },
      [&](int tries, const absl::Status& error) {
        // If the disk is full, removing the task's directory can make room. The removal delays the
        // end of the task, so it happens only after a second failure.
        if (IsDiskFull(error) && tries > 1 && !stop_.cancelled()) outcome.directory.reset();
        log.Warning("cannot record the end of the task (try ", tries, "): ", error.message());
      });
}

absl::Status Consumer::RetryUntilDeadline(
    absl::FunctionRef<absl::Status()> attempt,
    absl::FunctionRef<void(int tries, const absl::Status& error)> failed) {
  const CancelToken never;  // a stop shortens the time, but does not cancel an attempt
  const absl::Time started = clock_.Now();
  absl::Time deadline = started + options_.record_max_elapsed;
  Backoff working_backoff(kFirstRetry, kLongestRetry, 0.5);
  Backoff stopping_backoff(kFirstRetry, kLongestRetryWhenStopping, 0.5);
  bool stopping = false;
  for (int tries = 1;; ++tries) {
    const absl::Time tried = clock_.Now();
    const absl::Status status = attempt();
    if (status.ok() || absl::IsAborted(status) || IsQueueBroken(status)) return status;
    if (absl::IsInvalidArgument(status)) {
      deadline = std::min(deadline, started + kMaxRefusalTime);
    }
    if (stop_.cancelled() && !stopping) {
      stopping = true;
      deadline = std::min(deadline, tried + options_.stop_time.record_limit());
    }
    const absl::Duration wait = (stopping ? stopping_backoff : working_backoff).Next();
    if (clock_.Now() + wait > deadline) return status;
    failed(tries, status);
    clock_.Sleep(wait, stopping ? never : stop_);
  }
}

}  // namespace sparkles
