#include "tests/sim/judge.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "queue/task_entity.h"
#include "tests/sim/entities.h"

namespace sparkles {

std::string Judge::OwnerOf(int vm) { return absl::StrCat("projects/1/zones/z/w", vm); }

std::string Judge::KeyOf(const std::string& task_id, const std::string& path) {
  return absl::StrCat(kBucket, "/out%2F", task_id, "%2F",
                      absl::StrReplaceAll(path, {{"/", "%2F"}}));
}

Author Judge::HolderOf(const std::string& task_id) const {
  const auto found = holders_.find(task_id);
  return found == holders_.end() ? Author() : found->second;
}

void Judge::CheckHoldsNothing(const Author& author) {
  for (const auto& [id, holder] : holders_) {
    if (holder == author) Break(absl::StrCat(ToString(author), " ended and left ", id, " claimed"));
  }
}

void Judge::Break(const std::string& promise) {
  broken_.push_back(promise);
  note_("broken: " + promise);
}

void Judge::Changed(const EntityKey& key, const Json& before, const Json& after, bool by_worker) {
  if (key.kind == kJobKind) {
    if (by_worker) Break("a worker never writes a job");
    return JobChanged(key.name, after);
  }
  const std::string& id = key.name;
  if (!by_worker) {  // any change by a client takes the task from its holder
    Void(id);
    holders_.erase(id);
    claimants_.erase(id);
    complete_.erase(id);
    return;
  }
  for (const std::string& problem : ShapeProblems(id, before, after)) Break(problem);
  const std::string to = TextIn(after, "status");
  ++changes_[LastEntry(after)];
  CheckStep(id, to, before, after);
  if (to == "claimed") {
    holders_[id] = author_;
    claimants_[id] = author_;
    Claimed(id, after);
    // Outputs of earlier claims may be replaced now: only this claim's results count.
    const std::string prefix = KeyOf(id, "");
    for (auto object = stored_.lower_bound(prefix);
         object != stored_.end() && absl::StartsWith(object->first, prefix); ++object) {
      object->second.author = {};
    }
  } else {
    if (HolderOf(id) == author_) claims_[{author_, id}].over = true;
    holders_.erase(id);
  }
}

void Judge::JobChanged(const std::string& job, const Json& after) {
  killed_jobs_.erase(job);
  if (after.is_null() || TextIn(after, "status") != "killed") return;
  killed_jobs_.insert(job);
  for (const auto& [id, holder] : holders_) {
    if (JobIdOf(id) != job) continue;
    claims_[{holder, id}].job_killed = true;
    Void(id);
  }
}

// From now on the claims of other lives to the task are void.
void Judge::Void(const std::string& id) {
  const Author holder = HolderOf(id);
  if (holder.vm == 0) return;
  absl::Time& since = claims_[{holder, id}].void_since;
  since = std::min(since, clock_.Now());
}

absl::Time Judge::VoidSince(const Author& author, const std::string& task_id) const {
  const auto claim = claims_.find({author, task_id});
  return claim == claims_.end() ? absl::InfiniteFuture() : claim->second.void_since;
}

void Judge::StorageFaultInjected(const Author& author, Fault fault) {
  const auto task = last_claimed_.find(author);
  if (task == last_claimed_.end()) return;
  Claim& claim = claims_[{author, task->second}];
  ++claim.storage_faults;
  // The worker keeps the outputs of a command on disk if they cannot be delivered.
  if (claim.run.ended) vms_with_kept_outputs_.insert(author.vm);
  if (fault == Fault::kForbidden) ++claim.refusals;
  if (fault == Fault::kGarbage || fault == Fault::kFlip || fault == Fault::kSession) {
    ++claim.wrong_answers;
  }
}

void Judge::CheckStep(const std::string& id, const std::string& to, const Json& before,
                      const Json& after) {
  const std::string from = TextIn(before, "status");
  const std::string step = absl::StrCat(id, ": ", from, " -> ", to, " by ", ToString(author_));
  note_("Datastore: " + step);
  const Author holder = HolderOf(id);
  const std::string entry = to == "pending" ? "reset" : to;
  if (LastEntry(after) != entry) Break(absl::StrCat(step, ": the history says something else"));
  if (from == "pending") return CheckFirstStep(step, id, to, before, after);
  if (from != "claimed" || to == "claimed") Break(absl::StrCat(step, ": no such step"));
  // A life may hand back the claims of earlier lives of the same worker.
  const bool same = to == "pending" ? holder.vm == author_.vm : holder == author_;
  if (!same) Break(absl::StrCat(step, ": but ", ToString(holder), " holds it"));
  if (to == "pending" && !IsNullIn(after, "owner")) {
    Break(absl::StrCat(step, ": a task that was given back has an owner"));
  }
  if (!same) return;
  if (to == "pending") return CheckHandBack(step, id, after);
  CheckEnd(step, id, to, after);
}

void Judge::CheckFirstStep(const std::string& step, const std::string& id, const std::string& to,
                           const Json& before, const Json& after) {
  const bool killed = killed_jobs_.contains(JobIdOf(id));
  const bool used_up = IsUsedUp(HistoryOf(before));
  if (to == "claimed") {
    if (TextIn(after, "owner") != OwnerOf(author_.vm)) {
      Break(absl::StrCat(step, ": with another worker's name as the owner"));
    }
    // The job may be killed between the lookup and the commit. The claim's watch notices this.
    if (killed && !saw_job_alive_.contains({author_, id})) {
      Break(absl::StrCat(step, ": but its job was killed"));
    }
    if (used_up) Break(absl::StrCat(step, ": once too often"));
  } else if (to == "failed") {
    if (!used_up) Break(absl::StrCat(step, ": for no reason: ", LastReason(after)));
  } else if (to == "pending") {
    CheckRevocation(step, id, after);
  } else if (to != "killed" || !killed) {
    Break(absl::StrCat(step, ": no such step"));
  }
}

// A worker changes a pending task only to revoke a claim whose commit may still arrive.
void Judge::CheckRevocation(const std::string& step, const std::string& id, const Json& after) {
  if (!sent_claims_.contains({author_.vm, id})) {
    Break(absl::StrCat(step, ": but no claim of this machine was sent"));
  }
  const std::string reason = LastReason(after);
  const Life& life = lives_[author_];
  const bool told = life.told_to_stop.contains(reason) || life.told_to_drain.contains(reason);
  if (!told && !absl::StartsWith(reason, kAbandonedPrefix)) {
    Break(absl::StrCat(step, ": for no good reason: ", reason));
  }
}

void Judge::LookedUp(const Author& author, const std::string& task_id) {
  if (killed_jobs_.contains(JobIdOf(task_id))) {
    saw_job_alive_.erase({author, task_id});
  } else {
    saw_job_alive_.insert({author, task_id});
  }
}

void Judge::CheckEnd(const std::string& step, const std::string& id, const std::string& to,
                     const Json& after) {
  if (to == "complete") return CheckComplete(id, after);
  const Claim& claim = claims_[{author_, id}];
  if (to == "killed" && !claim.job_killed)
    Break(absl::StrCat(step, ": but its job was not killed"));
  if (to != "failed") return;
  // Errors that may pass and wrong answers are no reason to give up. Only a refusal is, and the
  // history must name it.
  const std::string reason = LastReason(after);
  const bool refused = claim.refusals > 0 && absl::StrContains(reason, "HTTP 403");
  if (!refused) {
    Break(absl::StrCat(step, ": for no good reason: ", reason));
  }
  if (TextIn(after, "failure_reason") != reason) {
    Break(absl::StrCat(step, ": the history gives another reason"));
  }
}

}  // namespace sparkles
