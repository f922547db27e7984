#include "queue/candidate_list.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "queue/task_entity.h"

namespace sparkles {
namespace {

// A stale candidate costs one lookup, and so does a query. But a task that was handed back since
// the list was read may have to wait for the next list.
constexpr absl::Duration kMaxAge = absl::Minutes(15);
// A refusal may come from a proxy or a server that is confused for a while.
constexpr absl::Duration kSkipTime = absl::Minutes(5);

}  // namespace

absl::StatusOr<std::optional<std::string>> CandidateList::Next(const CancelToken& cancel) {
  if (context_.clock.Now() - read_at_ > kMaxAge) ids_.clear();
  if (ids_.empty()) {
    if (absl::Status found = Find(cancel); !found.ok()) return found;
    if (ids_.empty()) return std::nullopt;
  }
  std::string id = std::move(ids_.back());
  ids_.pop_back();
  return id;
}

void CandidateList::OnTaken() {
  ids_.clear();
  JumpToRandomKey();
}

absl::Status CandidateList::Find(const CancelToken& cancel) {
  bool from_first_key = false;  // a query of this search began there
  for (;;) {
    from_first_key = from_first_key || position_.is_null();
    ASSIGN_OR_RETURN(const KeyPage page, ReadPage(cancel));
    const bool is_long_queue = from_first_key && !page.at_end;
    if (is_long_queue && !std::exchange(has_jumped_, true)) {
      ids_.clear();
      from_first_key = false;
      JumpToRandomKey();
      continue;
    }
    if (!ids_.empty() || (from_first_key && page.at_end)) break;
  }
  if (ids_.empty()) {
    LookForNewerTasks(cancel);
    return absl::OkStatus();
  }
  found_tasks_ = true;
  std::uniform_int_distribution<size_t> place(0, ids_.size() - 1);
  std::rotate(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(place(random_)), ids_.end());
  std::reverse(ids_.begin(), ids_.end());
  return absl::OkStatus();
}

absl::StatusOr<KeyPage> CandidateList::ReadPage(const CancelToken& cancel) {
  const EqualityFilter filter = {
      {"cluster", StringValue(context_.options.cluster)},
      {"status", StringValue(WireName(TaskStatus::kPending))},
  };
  ASSIGN_OR_RETURN(KeyPage page,
                   context_.client.FindKeys(kTaskKind, filter, position_, kCandidates, cancel));
  for (const Json& json : page.keys) {
    const std::optional<EntityKey> key = ParseEntityKey(json);
    if (!key) {
      Skip(DumpJson(json), "its key has no name, or more than one part");
    } else if (!IsSkipped(key->name)) {
      ids_.push_back(key->name);
    }
  }
  position_ = page.at_end || page.keys.empty() ? Json() : page.keys.back();
  read_at_ = context_.clock.Now();
  return page;
}

void CandidateList::LookForNewerTasks(const CancelToken& cancel) {
  if (found_tasks_) return;
  const std::string& cluster = context_.options.cluster;
  const auto page = context_.client.FindKeys(kNewerTaskKind, {{"cluster", StringValue(cluster)}},
                                             Json(), /*limit=*/1, cancel);
  if (!page.ok()) return;
  found_tasks_ = true;
  if (page->keys.empty()) return;
  context_.log.Warning(
      "cluster ", cluster, " has no ", kTaskKind, " to run, but tasks of kind ", kNewerTaskKind,
      ": a newer sparkles submitted them, and only the worker of that version runs them");
}

// Tasks are named JOB.INDEX, with an index that counts from 1. Seven random digits lie anywhere
// among such names, in the order of keys.
void CandidateList::JumpToRandomKey() {
  const std::optional<EntityKey> key = ParseEntityKey(position_);
  if (!key) return;
  const int digits = std::uniform_int_distribution<>(1'000'000, 9'999'999)(random_);
  position_ = ToJson(EntityKey{key->kind, absl::StrCat(JobIdOf(key->name), ".", digits)});
}

bool CandidateList::IsSkipped(const std::string& id) const {
  const auto skipped = skipped_.find(id);
  if (skipped == skipped_.end()) return false;
  const absl::Duration age = context_.clock.Now() - skipped->second;
  return age >= absl::ZeroDuration() && age < kSkipTime;  // below zero: the clock was set back
}

void CandidateList::Skip(const std::string& id, absl::string_view reason) {
  const bool is_new = skipped_.insert_or_assign(id, context_.clock.Now()).second;
  if (is_new) context_.log.WithTask(id).Warning("not claimed: ", reason);
}

}  // namespace sparkles
