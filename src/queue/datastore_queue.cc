#include "queue/datastore_queue.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "gcp/api_error.h"

namespace sparkles {
namespace {

// How many candidates a query asks for. Where many workers go for the same few, most of them lose;
// a larger sample spreads them. One query costs the same whatever it finds.
constexpr std::array<int, 3> kSamples = {20, 100, 300};
// After so many candidates lost the list is too old to go on with.
constexpr int kMaxLosses = 3;
constexpr absl::Duration kRepeatWait = absl::Milliseconds(100);

}  // namespace

DatastoreQueue::DatastoreQueue(DatastoreQueueOptions options, DatastoreClient& client, Clock& clock,
                               Log log, ClaimJournal* journal)
    : options_(std::move(options)),
      client_(client),
      clock_(clock),
      log_(std::move(log)),
      journal_(journal) {}

absl::StatusOr<std::optional<Claim>> DatastoreQueue::ClaimOne(const CancelToken& cancel) {
  std::optional<Claim> claim;
  if (!looked_for_abandoned_ && !cancel.cancelled()) HandBackAbandoned();
  if (unsettled_claim_) {
    const std::string id = unsettled_claim_->task_id;
    RETURN_IF_ERROR(TryClaim(id, cancel, claim).status());
    if (claim) return claim;
  }
  if (cancel.cancelled()) {
    (void)EndGivenUp();  // what fails again is for the next worker, whom the journal tells
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> candidates, FindCandidates(cancel));
  if (!candidates.empty()) looked_for_newer_ = true;
  if (candidates.empty()) {
    LookForNewerTasks(cancel);
    looked_for_abandoned_ = false;
    RETURN_IF_ERROR(EndGivenUp());
    return std::nullopt;
  }
  int losses = 0;
  for (const std::string& id : candidates) {
    if (cancel.cancelled()) return std::nullopt;
    ASSIGN_OR_RETURN(const Try result, TryClaim(id, cancel, claim));
    if (result == Try::kClaimed) {
      sample_ = 0;
      return claim;
    }
    if (result == Try::kLost && ++losses == kMaxLosses) break;
  }
  sample_ = std::min(sample_ + 1, kSamples.size() - 1);
  return absl::AbortedError(
      absl::StrCat("no task of this round was left to us; ", losses, " were taken by others"));
}

JournalEntry DatastoreQueue::EntryOf(const std::string& task_id, int64_t version,
                                     absl::Time claimed_at) const {
  return {options_.project, options_.cluster, task_id, options_.owner, version, claimed_at};
}

absl::Status DatastoreQueue::Announce(const TaskEntity& task, absl::Time now) {
  if (journal_ == nullptr) return absl::OkStatus();
  JournalEntry entry = EntryOf(task.id(), task.version(), now);
  entry.sent_at = clock_.Now();
  if (options_.memory_mark) entry.memory_mark = options_.memory_mark();
  if (announced_ != entry) Unannounce();
  if (absl::Status begun = journal_->Begin(entry); !begun.ok()) {
    return CannotWriteDown(std::move(begun));
  }
  announced_ = entry;
  return absl::OkStatus();
}

void DatastoreQueue::Unannounce() {
  if (announced_) journal_->End(*announced_);
  announced_.reset();
}

absl::StatusOr<std::vector<std::string>> DatastoreQueue::FindCandidates(const CancelToken& cancel) {
  const EqualityFilter filter = {
      {"cluster", StringValue(options_.cluster)},
      {"status", StringValue(WireName(TaskStatus::kPending))},
  };
  for (;; ++sample_) {
    const int limit = kSamples[sample_];
    ASSIGN_OR_RETURN(const std::vector<Json> keys,
                     client_.FindKeys(kTaskKind, filter, limit, cancel));
    std::vector<std::string> candidates;
    for (const Json& json : keys) {
      const std::optional<EntityKey> key = ParseEntityKey(json);
      if (!key) {
        Skip(DumpJson(json), "its key has no name, or not just one");
      } else if (!skipped_.contains(key->name)) {
        candidates.push_back(key->name);
      }
    }
    const bool hidden = candidates.empty() && keys.size() >= static_cast<size_t>(limit);
    if (hidden && sample_ + 1 < kSamples.size()) continue;  // others may be behind those we skip
    std::shuffle(candidates.begin(), candidates.end(), random_);
    return candidates;
  }
}

void DatastoreQueue::LookForNewerTasks(const CancelToken& cancel) {
  if (looked_for_newer_) return;
  const auto keys = client_.FindKeys(kNewerTaskKind, {{"cluster", StringValue(options_.cluster)}},
                                     /*limit=*/1, cancel);
  if (!keys.ok()) return;
  looked_for_newer_ = true;
  if (keys->empty()) return;
  log_.Warning("cluster ", options_.cluster, " has no ", kTaskKind, " to run, but tasks of kind ",
               kNewerTaskKind,
               ": a newer sparkles submitted them, and only the worker of that version runs them");
}

absl::StatusOr<DatastoreQueue::Try> DatastoreQueue::TryClaim(const std::string& id,
                                                             const CancelToken& cancel,
                                                             std::optional<Claim>& claim) {
  for (int tries = 0; tries < kTransactionTries; ++tries) {
    if (tries > 0) WaitBeforeRepeat(tries);
    ASSIGN_OR_RETURN(const std::optional<Try> result, TryOnce(id, cancel, claim));
    if (result) return *result;
  }
  return absl::UnavailableError(absl::StrCat(id, ": nobody knows whether the claim was written"));
}

absl::StatusOr<std::optional<DatastoreQueue::Try>> DatastoreQueue::TryOnce(
    const std::string& id, const CancelToken& cancel, std::optional<Claim>& claim) {
  // A claim that may stand has to be settled even if we are to stop.
  const CancelToken never;
  const bool unsettled = unsettled_claim_ && unsettled_claim_->task_id == id;
  absl::StatusOr<LookupResult> read = client_.LookupInTransaction(
      {{kTaskKind, id}, {kJobKind, JobIdOf(id)}}, unsettled ? never : cancel);
  if (absl::IsInvalidArgument(read.status()) && !unsettled) {  // no job can have such a name
    Skip(id, read.status().message());
    return Try::kEnded;
  }
  if (absl::IsAborted(read.status())) {  // somebody else is about to claim it
    return unsettled ? std::nullopt : std::optional(Try::kLost);
  }
  if (!read.ok()) return Annotate(read.status(), id);
  if (!read->entities[0]) return Lost(read->transaction);
  const absl::Time now = unsettled ? unsettled_claim_->timestamp : StampOf(clock_.Now());
  TaskEntity task(id, *std::move(read->entities[0]));
  if (unsettled && task.IsClaimOf(options_.owner, task.version(), now)) {
    announced_.reset();
    (void)Lost(read->transaction);
    claim = ClaimFrom(task, now);
    return Try::kClaimed;
  }
  const bool free = task.MayBePendingIn(options_.cluster);
  if (free && cancel.cancelled() && unsettled && !RevokeCommits()) {
    (void)client_.Rollback(read->transaction);
    return std::nullopt;
  }
  if (!free || cancel.cancelled()) return Lost(read->transaction);
  const Try change = Change(task, IsKilledJob(read->entities[1]), now);
  if (change == Try::kClaimed) {
    if (absl::Status announced = Announce(task, now); !announced.ok()) {
      (void)client_.Rollback(read->transaction);
      return announced;
    }
  }
  const absl::StatusOr<std::optional<Try>> result = CommitTry(read->transaction, task, change, now);
  if (!result.ok()) {
    if (!unsettled_claim_) Unannounce();
    return result.status();
  }
  if (*result == Try::kClaimed) claim = ClaimFrom(task, now);
  return result;
}

// The end of a transaction that writes nothing.
DatastoreQueue::Try DatastoreQueue::Lost(const std::string& transaction) {
  (void)client_.Rollback(transaction);
  unsettled_claim_.reset();
  Unannounce();
  return Try::kLost;
}

// A commit that we have given up waiting for can lie in a queue of the network. Whoever tries again
// makes it void by his own; whoever walks away must do so as well.
bool DatastoreQueue::RevokeCommits() {
  bool revoked = true;
  std::erase_if(unsettled_claim_->transactions, [&](const auto& sent) {
    const absl::Status status = client_.Rollback(sent.first);
    revoked = revoked && status.ok();
    // Known no more, says Datastore itself.
    return status.ok() || (absl::IsInvalidArgument(status) && IsGoogleError(status));
  });
  return revoked;
}

DatastoreQueue::Try DatastoreQueue::Change(TaskEntity& task, bool job_killed, absl::Time now) {
  std::string objection = task.Problem();
  if (objection.empty() && job_killed) {
    ending_ = {task.id(), Outcome::Kind::kKilled, "the job was killed"};
    task.Kill(ending_.reason, now);
    return Try::kEnded;
  }
  if (objection.empty()) objection = ObjectionTo(task.History());
  if (!objection.empty()) {
    ending_ = {task.id(), Outcome::Kind::kFailed, objection};
    task.Fail(objection, now);
    return Try::kEnded;
  }
  task.Claim(options_.owner, options_.monitor_address ? options_.monitor_address() : "", now);
  return Try::kClaimed;
}

absl::StatusOr<std::optional<DatastoreQueue::Try>> DatastoreQueue::CommitTry(
    const std::string& transaction, const TaskEntity& task, Try change, absl::Time now) {
  const absl::StatusOr<CommitEnd> end = client_.Commit(transaction, task.entity());
  if (absl::IsNotFound(end.status())) return Lost(transaction);  // deleted meanwhile
  if (absl::IsInvalidArgument(end.status())) {
    (void)Lost(transaction);
    Skip(task.id(), end.status().message());
    return Try::kEnded;
  }
  if (!end.ok()) {
    // The last answer is a refusal; but the commit was sent before that, perhaps, and applied.
    if (change == Try::kClaimed) Doubt(task.id(), now, transaction);
    return end.status();
  }
  if (*end == CommitEnd::kApplied) {
    unsettled_claim_.reset();
    if (change != Try::kClaimed) {
      Unannounce();
      ends_.push_back(ending_);
    }
    announced_.reset();
    return change;
  }
  if (*end == CommitEnd::kUnknown && change == Try::kClaimed) Doubt(task.id(), now, transaction);
  if (*end == CommitEnd::kUnknown && change != Try::kClaimed) {
    log_.WithTask(task.id()).Warning("its end is not known to be recorded: ", ending_.reason);
  }
  if (*end == CommitEnd::kContention && !unsettled_claim_) {
    Unannounce();
    return Try::kLost;
  }
  return std::nullopt;
}

void DatastoreQueue::Doubt(const std::string& id, absl::Time now, const std::string& transaction) {
  if (!unsettled_claim_) unsettled_claim_ = {id, now, now};
  const absl::Time sent_at = clock_.Now();
  auto& transactions = unsettled_claim_->transactions;
  // An outage may last for days.
  std::erase_if(transactions,
                [&](const auto& sent) { return sent.second + kLongestTransaction < sent_at; });
  transactions.emplace_back(transaction, sent_at);
}

Claim DatastoreQueue::ClaimFrom(const TaskEntity& task, absl::Time claimed_at) const {
  Claim claim;
  claim.task = task.ToTask();
  claim.attempt = CountClaims(task.History());
  claim.version = task.version();
  claim.claimed_at = claimed_at;
  return claim;
}

bool DatastoreQueue::Holds(const Claim& claim, const TaskEntity& task) const {
  return task.IsClaimOf(options_.owner, claim.version, claim.claimed_at);
}

absl::StatusOr<ClaimState> DatastoreQueue::Check(const Claim& claim, const CancelToken& cancel) {
  const std::string& id = claim.task.id;
  ASSIGN_OR_RETURN(LookupResult read,
                   client_.Lookup({{kTaskKind, id}, {kJobKind, JobIdOf(id)}}, cancel));
  if (!read.entities[0]) return ClaimState::kLost;
  const TaskEntity task(id, *std::move(read.entities[0]));
  // Another attempt may have been killed, and have delivered its log.
  if (task.IsKilled() && task.WasLastClaimedBy(options_.owner, claim.claimed_at)) {
    return ClaimState::kKilled;
  }
  if (!Holds(claim, task)) return ClaimState::kLost;  // if its job was killed, others see to that
  return IsKilledJob(read.entities[1]) ? ClaimState::kKilled : ClaimState::kOurs;
}

void DatastoreQueue::WaitBeforeRepeat(int tries) {
  const CancelToken never;
  clock_.Sleep(kRepeatWait * tries * std::uniform_real_distribution<>(0, 1)(random_), never);
}

void DatastoreQueue::Skip(const std::string& id, absl::string_view reason) {
  if (skipped_.insert(id).second) log_.WithTask(id).Warning("left alone: ", reason);
}

}  // namespace sparkles
