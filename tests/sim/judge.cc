#include "tests/sim/judge.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "gcp/json_text.h"
#include "queue/task_entity.h"

namespace sparkles {
namespace {

// What a worker may change of a task (contract.md section 3).
const std::set<std::string> kOurs = {"task_id",         "status",         "owner",
                                     "monitor_address", "history",        "last_updated",
                                     "exit_code",       "failure_reason", "version"};

const Json& PropertiesOf(const Json& entity) { return entity["properties"]; }

std::string TextIn(const Json& entity, const char* property) {
  const Json* value = JsonField(PropertiesOf(entity), property);
  return value == nullptr ? "" : AsString(value).value_or("");
}

Json HistoryOf(const Json& entity) {
  const Json& value = PropertiesOf(entity)["history"]["arrayValue"];
  return value.value("values", Json::array());
}

bool HasOnlyFourFields(const Json& entry) {
  const Json* properties = AsProperties(entry);
  if (properties == nullptr) return false;
  for (const auto& [name, value] : properties->items()) {
    const bool known =
        name == "timestamp" || name == "status" || name == "owner" || name == "failure_reason";
    if (!known) return false;
  }
  return properties->contains("timestamp") && properties->contains("status");
}

std::string EntryText(const Json& entry, const char* property) {
  const Json* properties = AsProperties(entry);
  if (properties == nullptr) return "";
  return AsString(JsonField(*properties, property)).value_or("");
}

std::string LastEntry(const Json& entity) {
  const Json history = HistoryOf(entity);
  return history.empty() ? "" : EntryText(history.back(), "status");
}

std::string LastReason(const Json& entity) {
  const Json history = HistoryOf(entity);
  return history.empty() ? "" : EntryText(history.back(), "failure_reason");
}

bool IsFinal(absl::string_view status) {
  return status == "complete" || status == "failed" || status == "killed";
}

// Whether a task with this past must not be claimed any more (contract.md section 3): 10 claims
// without an orderly end, or 20 machines in a row that could not do it, since it last ended.
bool IsUsedUp(const Json& history) {
  int disorderly = 0;
  int unfit = 0;
  for (size_t i = 0; i < history.size(); ++i) {
    const std::string status = EntryText(history[i], "status");
    const std::string reason = EntryText(history[i], "failure_reason");
    if (IsFinal(status)) disorderly = unfit = 0;
    if (status == "reset" && absl::StartsWith(reason, "machine fault: ")) ++unfit;
    if (status != "claimed") continue;
    const Json next = i + 1 < history.size() ? history[i + 1] : Json();
    const std::string why = EntryText(next, "failure_reason");
    const bool handed_back = EntryText(next, "status") == "reset" && !why.empty() &&
                             !absl::StartsWith(why, "abandoned: ");
    if (!handed_back && !IsFinal(EntryText(next, "status"))) ++disorderly;
  }
  return disorderly >= 10 || unfit >= 20;
}

// Of a log, without what the worker adds.
std::string PrintedIn(const std::string& log) {
  std::vector<std::string> lines = absl::StrSplit(log, '\n');
  std::erase_if(lines,
                [](const std::string& line) { return absl::StartsWith(line, "sparkles: "); });
  return absl::StrJoin(lines, "\n");
}

}  // namespace

std::string ToString(const Author& author) {
  return absl::StrCat("w", author.vm, ".", author.life);
}

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

void Judge::Changed(const EntityKey& key, const Json& before, const Json& after,
                    bool in_transaction) {
  if (key.kind == kJobKind) {
    if (in_transaction) Break("a worker never writes a job");
    return JobChanged(key.name, after);
  }
  const std::string& id = key.name;
  if (!in_transaction) {  // a client may do what it likes; whoever had the task has lost it
    Void(id);
    holders_.erase(id);
    claimants_.erase(id);
    complete_.erase(id);
    return;
  }
  CheckShape(id, before, after);
  const std::string to = TextIn(after, "status");
  ++changes_[LastEntry(after)];
  CheckStep(id, to, before, after);
  if (to == "claimed") {
    holders_[id] = author_;
    claimants_[id] = author_;
    claims_[{author_, id}] = {};
    last_claimed_[author_] = id;
    // What earlier claims have delivered is nobody's now: only this one's results count.
    const std::string prefix = KeyOf(id, "");
    for (auto object = stored_.lower_bound(prefix);
         object != stored_.end() && absl::StartsWith(object->first, prefix); ++object) {
      object->second.author = {};
    }
  } else {
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

// Whoever has claimed the task works for nothing from now on.
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

void Judge::StorageStruck(const Author& author, Fault fault) {
  const auto task = last_claimed_.find(author);
  if (task == last_claimed_.end()) return;
  Claim& claim = claims_[{author, task->second}];
  if (fault == Fault::kForbidden) ++claim.refusals;
  if (fault == Fault::kGarbage || fault == Fault::kFlip) ++claim.wrong_answers;
}

void Judge::CheckShape(const std::string& id, const Json& before, const Json& after) {
  const Json& was = PropertiesOf(before);
  const Json& is = PropertiesOf(after);
  for (const auto& [name, value] : is.items()) {
    if (name == "task_id") continue;
    if (!was.contains(name)) Break(absl::StrCat(id, ": the property ", name, " was invented"));
    if (!kOurs.contains(name) && was.contains(name) && was[name] != value) {
      Break(absl::StrCat(id, ": the property ", name, " was changed"));
    }
  }
  for (const auto& [name, value] : was.items()) {
    if (!is.contains(name)) Break(absl::StrCat(id, ": the property ", name, " was lost"));
  }
  if (AsInteger(&is["version"]).value_or(0) != AsInteger(&was["version"]).value_or(0) + 1) {
    Break(absl::StrCat(id, ": the version was not raised by one"));
  }
  Json history = HistoryOf(after);
  if (history.empty() || !HasOnlyFourFields(history.back())) {
    Break(absl::StrCat(id, ": the history's new entry is malformed"));
    return;
  }
  history.erase(history.size() - 1);
  if (history != HistoryOf(before)) {
    Break(absl::StrCat(id, ": the history did not grow by one entry"));
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
  // A life gives back what an earlier life of the same worker held.
  const bool same = to == "pending" ? holder.vm == author_.vm : holder == author_;
  if (!same) Break(absl::StrCat(step, ": but ", ToString(holder), " holds it"));
  if (to == "pending" && !IsNull(JsonField(PropertiesOf(after), "owner"))) {
    Break(absl::StrCat(step, ": a task that was given back has an owner"));
  }
  if (same) CheckEnd(step, id, to, after);
}

void Judge::CheckFirstStep(const std::string& step, const std::string& id, const std::string& to,
                           const Json& before, const Json& after) {
  const bool killed = killed_jobs_.contains(JobIdOf(id));
  const bool used_up = IsUsedUp(HistoryOf(before));
  if (to == "claimed") {
    if (TextIn(after, "owner") != OwnerOf(author_.vm)) {
      Break(absl::StrCat(step, ": in somebody else's name"));
    }
    if (killed) Break(absl::StrCat(step, ": but its job was killed"));
    if (used_up) Break(absl::StrCat(step, ": once too often"));
  } else if (to == "failed") {
    if (!used_up) Break(absl::StrCat(step, ": for no reason: ", LastReason(after)));
  } else if (to != "killed" || !killed) {
    Break(absl::StrCat(step, ": no such step"));
  }
}

void Judge::CheckEnd(const std::string& step, const std::string& id, const std::string& to,
                     const Json& after) {
  if (to == "complete") return CheckComplete(id, after);
  const Claim& claim = claims_[{author_, id}];
  if (to == "killed" && !claim.job_killed) Break(absl::StrCat(step, ": nobody has killed its job"));
  if (to != "failed") return;
  // Trouble that may pass is no reason, nor are wrong answers: only a refusal, and people must be
  // told of it.
  const std::string reason = LastReason(after);
  const bool refused = claim.refusals > 0 && absl::StrContains(reason, "HTTP 403");
  if (!refused) {
    Break(absl::StrCat(step, ": for no good reason: ", reason));
  }
  if (TextIn(after, "failure_reason") != reason) {
    Break(absl::StrCat(step, ": the history gives another reason"));
  }
}

void Judge::CheckComplete(const std::string& id, const Json& after) {
  const Run& run = claims_[{author_, id}].run;
  const std::string where = absl::StrCat(id, " completed by ", ToString(author_), ": ");
  if (!run.ended) return Break(absl::StrCat(where, "its command has not run"));
  if (TextIn(after, "exit_code") != run.exit_code) {
    Break(absl::StrCat(where, "the exit code is ", TextIn(after, "exit_code"), ", not ",
                       run.exit_code));
  }
  const std::string result_key = KeyOf(id, "result.json");
  const auto text = gcs_.Get(result_key);
  const absl::StatusOr<Json> result = ParseJson(text.value_or(""));
  if (!result.ok()) return Break(absl::StrCat(where, "there is no result.json"));
  if (stored_[result_key].author != author_) {
    Break(absl::StrCat(where, "result.json is of ", ToString(stored_[result_key].author)));
  }
  complete_[id][result_key] = gcs_.GenerationOf(result_key);
  std::set<std::string> listed;
  for (const Json& file : result->value("files", Json::array())) {
    listed.insert(JsonText(file, "src"));
    CheckFile(id, file, run, gcs_.GenerationOf(result_key));
  }
  if (!listed.contains("stdout.txt")) Break(absl::StrCat(where, "the log is not listed"));
  for (const auto& [path, content] : run.files) {
    if (!listed.contains(path)) Break(absl::StrCat(where, path, " is not listed"));
  }
  if (listed.size() != run.files.size() + 1) Break(absl::StrCat(where, "a file too many"));
}

void Judge::CheckFile(const std::string& id, const Json& file, const Run& run, int64_t result) {
  const std::string path = JsonText(file, "src");
  const std::string where = absl::StrCat(id, "/", path, " of ", ToString(author_), ": ");
  const std::string key = KeyOf(id, path);
  const auto content = gcs_.Get(key);
  if (!content) return Break(absl::StrCat(where, "listed, but not there"));
  const int64_t generation = gcs_.GenerationOf(key);
  complete_[id][key] = generation;
  if (generation > result) Break(absl::StrCat(where, "written after result.json"));
  if (stored_[key].author != author_) {
    Break(absl::StrCat(where, "it is of ", ToString(stored_[key].author)));
  }
  const bool as_said = file.value("size", uint64_t{0}) == content->size() &&
                       file.value("generation", int64_t{0}) == generation &&
                       file.value("crc32c", uint32_t{0}) == Crc32c(*content);
  if (!as_said) Break(absl::StrCat(where, "not what result.json says: ", DumpJson(file)));
  const auto expected = run.files.find(path);
  if (path == "stdout.txt") {
    if (PrintedIn(*content) == run.printed) return;
    return Break(absl::StrCat(where, "not the log of this run: ", *content));
  }
  if (expected == run.files.end() || expected->second != *content) {
    Break(absl::StrCat(where, "not what the command wrote"));
  }
}

void Judge::Stored(const std::string& key, int64_t generation) {
  note_(absl::StrCat("Cloud Storage: ", key, " by ", ToString(author_)));
  Delivered& object = stored_[key];
  const std::string start = absl::StrCat(kBucket, "/out%2F");
  if (!absl::StartsWith(key, start)) return Break(absl::StrCat(key, ": not a place for outputs"));
  const std::string id = key.substr(start.size(), key.find("%2F", start.size()) - start.size());
  const auto claimant = claimants_.find(id);
  const bool is_winners = claimant != claimants_.end() && object.author == claimant->second;
  if (object.author != author_ && is_winners) {
    Break(absl::StrCat(key, ": ", ToString(author_), " has lost the task and yet replaced what ",
                       ToString(object.author), " had delivered"));
  }
  object = {generation, author_};
}

void Judge::CommandEnded(const Author& author, const std::string& task_id, Run run) {
  run.ended = true;
  claims_[{author, task_id}].run = std::move(run);
}

void Judge::CheckWhatIsComplete() {
  for (const auto& [id, objects] : complete_) {
    for (const auto& [key, generation] : objects) {
      if (gcs_.GenerationOf(key) == generation) continue;
      Break(absl::StrCat(key, ": replaced after ", id, " was complete"));
    }
  }
}

}  // namespace sparkles
