#include "tests/sim/judge.h"

#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
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

std::string LastEntry(const Json& entity) {
  const Json history = HistoryOf(entity);
  if (history.empty()) return "";
  return AsString(JsonField(*AsProperties(history.back()), "status")).value_or("");
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
    killed_jobs_.erase(key.name);
    if (!after.is_null() && TextIn(after, "status") == "killed") killed_jobs_.insert(key.name);
    return;
  }
  const std::string& id = key.name;
  if (!in_transaction) {  // a client may do what it likes; whoever had the task has lost it
    holders_.erase(id);
    claimants_.erase(id);
    complete_.erase(id);
    return;
  }
  CheckShape(id, before, after);
  const std::string to = TextIn(after, "status");
  ++changes_[LastEntry(after)];
  CheckStep(id, TextIn(before, "status"), to, after);
  if (to == "claimed") {
    holders_[id] = author_;
    claimants_[id] = author_;
    runs_.erase({author_, id});
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

void Judge::CheckStep(const std::string& id, const std::string& from, const std::string& to,
                      const Json& after) {
  const std::string step = absl::StrCat(id, ": ", from, " -> ", to, " by ", ToString(author_));
  note_("Datastore: " + step);
  const Author holder = HolderOf(id);
  const std::string entry = to == "pending" ? "reset" : to;
  if (LastEntry(after) != entry) Break(absl::StrCat(step, ": the history says something else"));
  if (from == "pending") {
    const bool killed = to == "killed" && killed_jobs_.contains(JobIdOf(id));
    if (to == "claimed" && TextIn(after, "owner") != OwnerOf(author_.vm)) {
      Break(absl::StrCat(step, ": in somebody else's name"));
    }
    if (to != "claimed" && to != "failed" && !killed) Break(absl::StrCat(step, ": no such step"));
    return;
  }
  if (from != "claimed" || to == "claimed") Break(absl::StrCat(step, ": no such step"));
  // A life gives back what an earlier life of the same worker held.
  const bool same = to == "pending" ? holder.vm == author_.vm : holder == author_;
  if (!same) Break(absl::StrCat(step, ": but ", ToString(holder), " holds it"));
  if (to == "pending" && !IsNull(JsonField(PropertiesOf(after), "owner"))) {
    Break(absl::StrCat(step, ": a task that was given back has an owner"));
  }
  if (to == "complete") CheckComplete(id, after);
}

void Judge::CheckComplete(const std::string& id, const Json& after) {
  const Run& run = runs_[{author_, id}];
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
  if (path == "stdout.txt") return;
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

void Judge::CommandEnded(const Author& author, const std::string& task_id,
                         std::map<std::string, std::string> files, const std::string& exit_code) {
  runs_[{author, task_id}] = {std::move(files), exit_code, true};
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
