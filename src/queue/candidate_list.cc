#include "queue/candidate_list.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "queue/task_entity.h"

namespace sparkles {
namespace {

// A stale candidate costs one lookup, and a query costs more. So the list may become old; this
// bounds how long a task that was reset just now waits for its turn.
constexpr absl::Duration kMaxAge = absl::Minutes(5);

}  // namespace

absl::StatusOr<std::optional<std::string>> CandidateList::Next(const CancelToken& cancel) {
  const bool old = context_.clock.Now() - found_at_ > kMaxAge;
  if (old || taken_ >= kMaxTaken) ids_.clear();
  if (ids_.empty()) {
    if (absl::Status found = Find(cancel); !found.ok()) return found;
    if (ids_.empty()) return std::nullopt;
  }
  std::string id = std::move(ids_.back());
  ids_.pop_back();
  return id;
}

absl::Status CandidateList::Find(const CancelToken& cancel) {
  if (taken_ >= kMaxTaken) GoToRandomKey();
  taken_ = 0;
  const EqualityFilter filter = {
      {"cluster", StringValue(context_.options.cluster)},
      {"status", StringValue(WireName(TaskStatus::kPending))},
  };
  bool from_start = false;  // the search has been at the first key
  for (;;) {
    from_start = from_start || position_.is_null();
    absl::StatusOr<KeyPage> page =
        context_.client.FindKeys(kTaskKind, filter, position_, kCandidates, cancel);
    if (!page.ok()) return page.status();
    TakePage(*page);
    if (!ids_.empty() || (from_start && page->at_end)) break;
  }
  if (ids_.empty()) LookForNewerTasks(cancel);
  looked_for_newer_ = looked_for_newer_ || !ids_.empty();
  std::shuffle(ids_.begin(), ids_.end(), random_);
  found_at_ = context_.clock.Now();
  return absl::OkStatus();
}

void CandidateList::LookForNewerTasks(const CancelToken& cancel) {
  if (looked_for_newer_) return;
  const std::string& cluster = context_.options.cluster;
  const auto page = context_.client.FindKeys(kNewerTaskKind, {{"cluster", StringValue(cluster)}},
                                             Json(), /*limit=*/1, cancel);
  if (!page.ok()) return;
  looked_for_newer_ = true;
  if (page->keys.empty()) return;
  context_.log.Warning(
      "cluster ", cluster, " has no ", kTaskKind, " to run, but tasks of kind ", kNewerTaskKind,
      ": a newer sparkles submitted them, and only the worker of that version runs them");
}

void CandidateList::TakePage(const KeyPage& page) {
  for (const Json& json : page.keys) {
    position_ = json;
    const std::optional<EntityKey> key = ParseEntityKey(json);
    if (!key) {
      Skip(DumpJson(json), "its key has no name, or not just one");
    } else if (!skipped_.contains(key->name)) {
      ids_.push_back(key->name);
    }
  }
  if (page.at_end) position_ = nullptr;
}

// Tasks are named JOB.INDEX, with an index that counts from 1. Seven random digits lie anywhere
// among such names, in the order of keys.
void CandidateList::GoToRandomKey() {
  const std::optional<EntityKey> key = ParseEntityKey(position_);
  if (!key) return;
  const int digits = std::uniform_int_distribution<>(1'000'000, 9'999'999)(random_);
  position_ = ToJson(EntityKey{key->kind, absl::StrCat(JobIdOf(key->name), ".", digits)});
}

void CandidateList::Skip(const std::string& id, absl::string_view reason) {
  if (skipped_.insert(id).second) context_.log.WithTask(id).Warning("left alone: ", reason);
}

}  // namespace sparkles
