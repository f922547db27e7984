#include "queue/candidate_list.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "queue/task_entity.h"

namespace sparkles {
namespace {

// Stale candidates are cheap: each costs one lookup, about as much as a query. But a task that was
// handed back after the query waits for the next list.
constexpr absl::Duration kMaxAge = absl::Minutes(15);
// Datastore may later accept a claim that it refuses now.
constexpr absl::Duration kSkipTime = absl::Minutes(5);

}  // namespace

absl::StatusOr<std::optional<std::string>> CandidateList::Next(const CancelToken& cancel) {
  if (context_.clock.Now() - listed_at_ > kMaxAge) ids_.clear();
  if (ids_.empty()) RETURN_IF_ERROR(Find(cancel));
  if (ids_.empty()) return std::nullopt;
  std::string id = std::move(ids_.back());
  ids_.pop_back();
  return id;
}

void CandidateList::OnTaken() {
  ids_.clear();
  Jump();
}

absl::Status CandidateList::Find(const CancelToken& cancel) {
  bool from_first_key = false;  // a query of this search began at the first key
  int limit = jumps_ ? kKeysOfJump : kCandidates;
  for (;;) {
    from_first_key = from_first_key || position_.is_null();
    ASSIGN_OR_RETURN(const KeyPage page, ReadPage(limit, cancel));
    limit = kKeysOfJump;  // skips pages of unusable tasks quickly
    if (from_first_key && !page.at_end && !has_spread_) {
      has_spread_ = true;
      from_first_key = false;
      ids_.clear();
      Jump();
      continue;
    }
    if (!ids_.empty() || (from_first_key && page.at_end)) break;
  }
  jumps_ = false;
  listed_at_ = context_.clock.Now();
  if (ids_.empty()) {
    has_spread_ = false;  // all workers will start at the first keys of the next job
    CheckForNewerTasks(cancel);
    return absl::OkStatus();
  }
  newer_tasks_checked_ = true;
  // Begins at a random key. Next takes ids from the back of the list.
  std::uniform_int_distribution<size_t> place(0, ids_.size() - 1);
  std::rotate(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(place(random_)), ids_.end());
  if (ids_.size() > kCandidates) {
    ids_.resize(kCandidates);
    position_ = KeyNamed(ids_.back());
  }
  std::reverse(ids_.begin(), ids_.end());
  return absl::OkStatus();
}

absl::StatusOr<KeyPage> CandidateList::ReadPage(int limit, const CancelToken& cancel) {
  const EqualityFilter filter = {
      {"cluster", StringValue(context_.options.cluster)},
      {"status", StringValue(WireName(TaskStatus::kPending))},
  };
  absl::StatusOr<KeyPage> page =
      context_.client.FindKeys(kTaskKind, filter, position_, limit, cancel);
  // The refused key may be a random one (Jump), so start at the first key.
  if (absl::IsInvalidArgument(page.status())) position_ = Json();
  RETURN_IF_ERROR(page.status());
  for (const Json& json : page->keys) {
    const std::optional<EntityKey> key = ParseEntityKey(json);
    if (!key) {
      Skip(DumpJson(json), "the task's key has no name, or more than one part");
    } else if (!IsSkipped(key->name)) {
      ids_.push_back(key->name);
    }
  }
  if (!page->keys.empty()) last_key_ = page->keys.back();
  position_ = page->at_end || page->keys.empty() ? Json() : last_key_;
  return page;
}

void CandidateList::CheckForNewerTasks(const CancelToken& cancel) {
  if (newer_tasks_checked_) return;
  const std::string& cluster = context_.options.cluster;
  const auto page = context_.client.FindKeys(kNewerTaskKind, {{"cluster", StringValue(cluster)}},
                                             Json(), /*limit=*/1, cancel);
  if (!page.ok()) return;
  newer_tasks_checked_ = true;
  if (page->keys.empty()) return;
  context_.log.Warning("cluster ", cluster, " has no ", kTaskKind,
                       " to run, but has tasks of kind ", kNewerTaskKind,
                       ": a newer sparkles submitted them; run the worker of that version");
}

// Tasks are named JOB.INDEX, with an index from 1. In the order of keys, seven random digits lie at
// a random place among such names.
void CandidateList::Jump() {
  jumps_ = true;
  const std::optional<EntityKey> key = ParseEntityKey(position_);
  if (!key) return;
  const int digits = std::uniform_int_distribution<>(1'000'000, 9'999'999)(random_);
  position_ = KeyNamed(absl::StrCat(JobIdOf(key->name), ".", digits));
}

// A key in the form of the server's keys, with project and database.
Json CandidateList::KeyNamed(const std::string& id) const {
  Json key = last_key_;
  key["path"] = ToJson(EntityKey{kTaskKind, id})["path"];
  return key;
}

bool CandidateList::IsSkipped(const std::string& id) {
  const auto skipped = skipped_.find(id);
  if (skipped == skipped_.end()) return false;
  const absl::Duration age = context_.clock.Now() - skipped->second;
  if (age >= absl::ZeroDuration() && age < kSkipTime) return true;
  skipped_.erase(skipped);  // also if the clock was set back
  return false;
}

void CandidateList::Skip(const std::string& id, absl::string_view reason) {
  const bool is_new = skipped_.insert_or_assign(id, context_.clock.Now()).second;
  if (is_new) context_.log.WithTask(id).Warning("not claimed: ", reason);
}

}  // namespace sparkles
