// Checks what lives of workers do with their claims: each runs the command once, and hands back or
// ends only with a reason.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "queue/queue.h"
#include "queue/task_entity.h"
#include "tests/sim/commands.h"
#include "tests/sim/entities.h"
#include "tests/sim/judge.h"

namespace sparkles {
namespace {

// Problems with Cloud Storage that last less than this are not machine faults.
constexpr absl::Duration kMinStorageOutage = absl::Minutes(30);
// So many wrong answers to one task are a machine fault: another machine may get correct bytes.
constexpr int kWrongAnswers = 3;
// New tasks may appear late, so a worker that finds none at its start looks again:
// docs/wire-entities.md.
constexpr absl::Duration kFirstQueryRepeatDelay = absl::Seconds(10);

}  // namespace

void Judge::Claimed(const std::string& id, const Json& after) {
  Life& life = lives_[author_];
  CountFaults(author_);
  if (life.unfit_in_a_row >= kMaxMachineFaults) {
    Break(absl::StrCat(ToString(author_), " claims ", id, " after ", life.unfit_in_a_row,
                       " faults of its machine in a row"));
  }
  Claim claim;
  claim.since = clock_.Now();
  claim.attempt = ClaimsIn(after);
  claim.job_killed = killed_jobs_.contains(JobIdOf(id));
  claims_[{author_, id}] = claim;
  last_claimed_[author_] = id;
  life.busy_until = clock_.Now();
}

void Judge::CountFaults(const Author& author) {
  const auto task = last_claimed_.find(author);
  if (task == last_claimed_.end()) return;
  Life& life = lives_[author];
  const Claim& claim = claims_[{author, task->second}];
  life.unfit_in_a_row = claim.handed_back_as_unfit ? life.unfit_in_a_row + 1 : 0;
  if (HasMachineFault(claim)) {
    ++life.faults_in_a_row;
  } else if (claim.over) {
    life.faults_in_a_row = 0;
  }
}

bool Judge::HasMachineFault(const Claim& claim) const {
  return claim.no_process || claim.wrong_answers >= kWrongAnswers ||
         (claim.storage_faults > 0 && clock_.Now() - claim.since >= kMinStorageOutage);
}

void Judge::MachineFaultInjected(const Author& author) {
  const auto task = last_claimed_.find(author);
  if (task != last_claimed_.end()) claims_[{author, task->second}].no_process = true;
}

void Judge::CommandBegins(const Author& author, const std::string& task_id,
                          const std::string& attempt) {
  const std::string what = absl::StrCat(ToString(author), " runs the command of ", task_id);
  const auto found = claims_.find({author, task_id});
  if (found == claims_.end()) return Break(absl::StrCat(what, ", which it has never claimed"));
  Claim& claim = found->second;
  if (claim.over) Break(absl::StrCat(what, ", which it has given away"));
  if (claim.begun) Break(absl::StrCat(what, " once more"));
  if (attempt != absl::StrCat(claim.attempt)) {
    Break(absl::StrCat(what, " as attempt ", attempt, ", not ", claim.attempt));
  }
  claim.begun = true;
}

void Judge::CommandEnded(const Author& author, const std::string& task_id, Run run) {
  run.ended = true;
  claims_[{author, task_id}].run = std::move(run);
  lives_[author].busy_until = clock_.Now();
}

// People read the reasons, and tools count them to see whether the task caused a failure.
void Judge::CheckHandBack(const std::string& step, const std::string& id, const Json& after) {
  const std::string reason = LastReason(after);
  const std::string said = absl::StrCat(step, ": because of \"", reason, "\", ");
  if (HolderOf(id) != author_) {
    if (!absl::StartsWith(reason, kAbandonedPrefix)) Break(absl::StrCat(said, "of another life"));
    return;
  }
  Claim& claim = claims_[{author_, id}];
  const Life& life = lives_[author_];
  if (absl::StartsWith(reason, kMachineFaultPrefix)) {
    claim.handed_back_as_unfit = true;
    const bool says_so = absl::StrContains(reason, kNoProcess);
    if (says_so ? !claim.no_process : !HasMachineFault(claim)) Break(said + "but there was none");
    return;
  }
  if (life.told_to_stop.contains(reason)) return;
  // A worker that drains still runs the task that it has claimed.
  if (life.told_to_drain.contains(reason) && !claim.begun) return;
  Break(said + "which was not the cause");
}

void Judge::LifeBegins(const Author& author) {
  Life& life = lives_[author];
  life.begun = life.busy_until = clock_.Now();
}

void Judge::StopRequested(const Author& author, const std::string& reason, bool at_once) {
  Life& life = lives_[author];
  (at_once ? life.told_to_stop : life.told_to_drain).insert(reason);
}

void Judge::Queried(const Author& author, bool found_nothing) {
  Life& life = lives_[author];
  life.found_nothing = found_nothing;
  life.found_some = life.found_some || !found_nothing;
}

void Judge::LifeEnds(const Author& author, Consumer::End end, absl::Duration linger) {
  Life& life = lives_[author];
  const auto check = [&](bool right, absl::string_view what) {
    if (!right) Break(absl::StrCat(ToString(author), " ended, ", what));
  };
  CountFaults(author);
  switch (end) {
    case Consumer::End::kQueueEmpty:
      check(clock_.Now() - life.busy_until >= linger, "but had not lingered as long as it has to");
      check(life.found_some || clock_.Now() - life.begun >= kFirstQueryRepeatDelay,
            "but had not looked again");
      return check(life.found_nothing, "but had not found the queue empty");
    case Consumer::End::kStopped:
      return check(!life.told_to_stop.empty(), "but without a signal to stop");
    case Consumer::End::kDrained:
      return check(!life.told_to_drain.empty(), "but without a signal to drain");
    case Consumer::End::kMachineUnfit:
      return check(life.faults_in_a_row >= kMaxMachineFaults,
                   absl::StrCat("its machine being unfit, after ", life.faults_in_a_row,
                                " faults in a row"));
    case Consumer::End::kQueueBroken:
      return check(false, "taking the queue for broken");
  }
}

}  // namespace sparkles
