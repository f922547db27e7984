#include "worker/consumer.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "worker/claim_watch.h"

namespace sparkles {
namespace {

constexpr absl::Duration kPollInterval = absl::Seconds(1);
// A cloud queue that stays empty is looked at ever less often, down to this.
constexpr absl::Duration kLongestPollInterval = absl::Seconds(5);
// A fresh task may show up late in a cloud queue: an empty first look is repeated once.
constexpr absl::Duration kFirstLookAgain = absl::Seconds(10);
// What another worker's task fills now it may have freed soon; a machine that stays unfit must go.
constexpr absl::Duration kUnfitPatience = absl::Minutes(5);
// The file's folder may be away for a moment; who started the worker has to hear of a longer one.
constexpr absl::Duration kPatienceWithFile = absl::Minutes(5);
constexpr absl::Duration kLookAtMachineAgain = absl::Seconds(10);
constexpr absl::Duration kFirstRetry = absl::Milliseconds(100);
constexpr absl::Duration kLongestRetry = absl::Seconds(30);
constexpr absl::Duration kLongestRetryWhenStopping = absl::Seconds(2);
// An end that the queue calls invalid may only be so for a confused server or proxy.
constexpr absl::Duration kPatienceWithRefusal = absl::Minutes(5);

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
  const End end = WorkToTheEnd(execute);
  SettleLastClaim();
  return end;
}

void Consumer::SettleLastClaim() {
  const std::string reason =
      no_more().cancelled() ? no_more().reason() : std::string("its worker had to end");
  const absl::Status settled = TryPatiently(
      [&] { return queue_.SettleLastClaim(reason); },
      [this](int, const absl::Status& error) {
        log_.Warning("cannot settle whether a task is claimed: ", error.message());
      });
  TellOfEnds();
  if (!settled.ok()) log_.Error("a task may stay claimed: ", settled.message());
}

Consumer::End Consumer::WorkToTheEnd(Execute execute) {
  absl::Time idle_since = clock_.Now();
  bool first_look = true;
  absl::Duration retry = kFirstRetry;
  absl::Time unfit_since = absl::InfiniteFuture();
  absl::Time trouble_since = absl::InfiniteFuture();
  while (!no_more().cancelled()) {
    if (!WaitUntilFit()) return End::kMachineUnfit;
    if (no_more().cancelled()) break;
    const Step step = ClaimAndRun(execute);
    if (faults_in_a_row_ >= kMaxMachineFaults) return End::kMachineUnfit;
    if (refusals_in_a_row_ >= kMaxRefusals) {
      log_.Error(kMaxRefusals, " tasks in a row failed because this worker may not ",
                 refused_permission_,
                 ": no more tasks are claimed; grant the role and start again");
      return End::kMachineUnfit;
    }
    if (step == Step::kBroken) return End::kQueueBroken;
    const absl::Time now = clock_.Now();
    if (step != Step::kContended) {  // which says nothing about either
      unfit_since = step == Step::kUnfit ? std::min(unfit_since, now) : absl::InfiniteFuture();
      trouble_since =
          step == Step::kTrouble ? std::min(trouble_since, now) : absl::InfiniteFuture();
    }
    if (step == Step::kUnfit && now - unfit_since >= kUnfitPatience) {
      log_.Error("this machine has not been able to claim a task for ",
                 absl::FormatDuration(kUnfitPatience), ": it is given up");
      return End::kMachineUnfit;
    }
    if (step == Step::kTrouble && !queue_.MoreMayCome() &&
        now - trouble_since >= kPatienceWithFile) {
      log_.Error("the tasks file or its state could not be used for ",
                 absl::FormatDuration(kPatienceWithFile), ": the worker ends");
      return End::kQueueBroken;
    }
    if (step == Step::kTrouble || step == Step::kUnfit) {
      clock_.Sleep(Jitter(retry, 0.5), no_more());
      retry = std::min(retry * 2, kLongestRetry);
      idle_since = clock_.Now();
      continue;  // an outage at the start does not use up the second first look
    }
    retry = kFirstRetry;
    if (step == Step::kWorked) {
      // From the end of the task, not from its claim: a long one must not use up the lingering.
      idle_since = clock_.Now();
    } else if (step == Step::kContended) {
      idle_since = clock_.Now();
      clock_.Sleep(Jitter(kPollInterval, 0), no_more());
    } else if (no_more().cancelled()) {
      break;  // the queue was not looked at to its end: that it is empty is not known
    } else if (first_look && queue_.MoreMayCome()) {
      clock_.Sleep(kFirstLookAgain, no_more());
    } else if (clock_.Now() - idle_since >= options_.linger) {
      return End::kQueueEmpty;
    } else {
      clock_.Sleep(IdleWait(clock_.Now() - idle_since), no_more());
    }
    first_look = false;
  }
  return stop_.cancelled() ? End::kStopped : End::kDrained;
}

bool Consumer::WaitUntilFit() {
  if (!options_.check_machine) return true;
  const absl::Time started = clock_.Now();
  while (!no_more().cancelled()) {
    const absl::Status fit = options_.check_machine();
    if (fit.ok()) return true;
    log_.Warning("nothing is claimed now: ", fit.message());
    if (clock_.Now() - started >= kUnfitPatience) {
      log_.Error("this machine is given up: ", fit.message());
      return false;
    }
    clock_.Sleep(kLookAtMachineAgain, no_more());
  }
  return true;
}

absl::Duration Consumer::IdleWait(absl::Duration idle) {
  absl::Duration wait = kPollInterval;
  if (queue_.MoreMayCome()) {
    wait = Jitter(std::clamp(idle / 20, kPollInterval, kLongestPollInterval), 0.5);
  }
  return std::min(wait, options_.linger - idle);
}

// A random part of `wait`, at least `least` of it: a fleet must not knock all at once.
absl::Duration Consumer::Jitter(absl::Duration wait, double least) {
  return wait * std::uniform_real_distribution<>(least, 1)(random_);
}

Consumer::Step Consumer::ClaimAndRun(Execute execute) {
  absl::StatusOr<std::optional<Claim>> claimed = queue_.ClaimOne(no_more());
  TellOfEnds();
  if (absl::IsAborted(claimed.status())) {
    log_.Debug(claimed.status().message());
    return Step::kContended;
  }
  if (IsBroken(claimed.status())) {
    log_.Error(claimed.status().message());
    return Step::kBroken;
  }
  if (!claimed.ok()) {
    if (!no_more().cancelled()) {
      log_.Warning("cannot claim a task now: ", claimed.status().message());
    }
    return IsCannotWriteDown(claimed.status()) ? Step::kUnfit : Step::kTrouble;
  }
  if (!claimed->has_value()) return Step::kIdle;
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
  outcome.folder.reset();
  CountRefusal(outcome);
  if (outcome.machine_fault) {
    CountFault(outcome.failure_reason);
  } else {
    faults_in_a_row_ = 0;
  }
  return Step::kWorked;
}

void Consumer::TellOfEnds() {
  for (const RecordedEnd& end : queue_.TakeEnds()) {
    const Log log = log_.WithTask(end.task_id);
    if (end.kind == Outcome::Kind::kComplete) {
      log.Info("complete: its end, which was given up, is recorded now");
    } else {
      log.Warning(NameOf(end.kind), ": ", end.reason);
    }
  }
}

// A queue that only people can mend. One in the cloud may always come back.
bool Consumer::IsBroken(const absl::Status& status) const {
  return !queue_.MoreMayCome() && absl::IsFailedPrecondition(status);
}

void Consumer::CountFault(absl::string_view reason) {
  ++faults_in_a_row_;
  log_.Warning("machine fault ", faults_in_a_row_, " of ", kMaxMachineFaults,
               " in a row: ", reason);
  // What is full or missing now may be better in a moment.
  if (faults_in_a_row_ < kMaxMachineFaults) {
    clock_.Sleep(absl::Milliseconds(250) * (1 << faults_in_a_row_), no_more());
  }
}

void Consumer::CountRefusal(const Outcome& outcome) {
  const bool failed = outcome.kind == Outcome::Kind::kFailed;
  const std::string lacks = failed ? outcome.lacks_permission : "";
  if (lacks != refused_permission_) refusals_in_a_row_ = 0;
  refused_permission_ = lacks;
  if (!lacks.empty()) ++refusals_in_a_row_;
}

void Consumer::Record(const Claim& claim, Outcome& outcome) {
  const Log log = log_.WithTask(claim.task.id);
  if (outcome.kind == Outcome::Kind::kClaimLost) {
    log.Warning("dropped: ", outcome.failure_reason);
    return;
  }
  const absl::Status status = RecordPatiently(claim, outcome, log);
  if (absl::IsAborted(status)) {
    log.Warning("the result is dropped: the claim is no longer ours: ", status.message());
    return;
  }
  if (!status.ok()) {
    log.Error("the end of the task is given up, it stays claimed: ", status.message());
    if (outcome.kind == Outcome::Kind::kHandBack) outcome.failure_reason = HandBackReason(outcome);
    queue_.GiveUp(claim, outcome);
    return;
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

absl::Status Consumer::RecordPatiently(const Claim& claim, Outcome& outcome, const Log& log) {
  return TryPatiently(
      [&] {
        return outcome.kind == Outcome::Kind::kHandBack
                   ? queue_.HandBack(claim, HandBackReason(outcome))
                   : queue_.Finish(claim, outcome);
      },
      [&](int tries, const absl::Status& error) {
        // If the disk is full, the task's folder may hold the space that is missing. To remove it
        // takes time, in which the end is not recorded: only if another try has failed as well.
        const bool full = IsMachineFault(error) && absl::IsResourceExhausted(error);
        if (full && tries > 1 && !stop_.cancelled()) outcome.folder.reset();
        log.Warning("cannot record the end of the task (try ", tries, "): ", error.message());
      });
}

absl::Status Consumer::TryPatiently(
    absl::FunctionRef<absl::Status()> attempt,
    absl::FunctionRef<void(int tries, const absl::Status& error)> failed) {
  const CancelToken never;  // a stop must not keep us from trying, only shorten the patience
  const absl::Time started = clock_.Now();
  absl::Time patient_until = started + options_.record_patience;
  absl::Duration retry = kFirstRetry;
  bool stopping = false;
  for (int tries = 1;; ++tries) {
    const absl::Time tried = clock_.Now();
    const absl::Status status = attempt();
    if (status.ok() || absl::IsAborted(status) || IsBroken(status)) return status;
    if (absl::IsInvalidArgument(status)) {
      patient_until = std::min(patient_until, started + kPatienceWithRefusal);
    }
    if (stop_.cancelled() && !stopping) {
      stopping = true;
      patient_until = std::min(patient_until, tried + options_.stop_time.record_limit());
      retry = kFirstRetry;
    }
    const absl::Duration wait = Jitter(retry, 0.5);
    if (clock_.Now() + wait > patient_until) return status;
    failed(tries, status);
    clock_.Sleep(wait, stopping ? never : stop_);
    retry = std::min(retry * 2, stopping ? kLongestRetryWhenStopping : kLongestRetry);
  }
}

}  // namespace sparkles
