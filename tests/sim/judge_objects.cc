// Checks the objects in Cloud Storage against result.json.
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/crc32c.h"
#include "base/json.h"
#include "tests/sim/entities.h"
#include "tests/sim/judge.h"

namespace sparkles {
namespace {

// The command's part of a log, without the worker's lines.
std::string PrintedIn(const std::string& log) {
  std::vector<std::string> lines = absl::StrSplit(log, '\n');
  std::erase_if(lines,
                [](const std::string& line) { return absl::StartsWith(line, "sparkles: "); });
  return absl::StrJoin(lines, "\n");
}

}  // namespace

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
  if (JsonText(*result, "return_code") != run.exit_code || result->contains("failure_reason")) {
    Break(absl::StrCat(where, "result.json tells of another end: ", *text));
  }
  complete_[id][result_key] = gcs_.GenerationOf(result_key);
  std::set<std::string> listed;
  for (const Json& file : result->value("files", Json::array())) {
    listed.insert(JsonText(file, "src"));
    CheckFile(id, file, run, gcs_.GenerationOf(result_key));
  }
  for (const Json& skipped : result->value("skipped", Json::array())) {
    // After a refusal, the log of an earlier attempt stays.
    const bool kept = claims_[{author_, id}].refusals > 0;
    if (kept && JsonText(skipped, "src") == "stdout.txt") listed.insert("stdout.txt");
  }
  if (!listed.contains("stdout.txt")) Break(absl::StrCat(where, "the log is not listed"));
  for (const auto& [path, content] : run.files) {
    if (!listed.contains(path)) Break(absl::StrCat(where, path, " is not listed"));
  }
  if (listed.size() != run.files.size() + 1) Break(absl::StrCat(where, "a file too many"));
  std::set<std::string> keys = {result_key};
  for (const std::string& path : listed) keys.insert(KeyOf(id, path));
  for (const std::string& key : gcs_.KeysBelow(KeyOf(id, ""))) {
    // The checkpoint is removed when the end is recorded.
    if (absl::StartsWith(key, KeyOf(id, "sparkles-checkpoint%2F"))) continue;
    if (!keys.contains(key)) Break(absl::StrCat(where, key, " is there, too"));
  }
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
  // A late request of an earlier attempt may store an object after its worker has removed the old
  // one.
  if (generation == 0) {
    stored_.erase(key);
    return;
  }
  note_(absl::StrCat("Cloud Storage: ", key, " by ", ToString(author_)));
  Delivered& object = stored_[key];
  const std::string start = absl::StrCat(kBucket, "/out%2F");
  if (!absl::StartsWith(key, start)) return Break(absl::StrCat(key, ": not a place for outputs"));
  const std::string id = key.substr(start.size(), key.find("%2F", start.size()) - start.size());
  if (!claims_.contains({author_, id})) {
    Break(absl::StrCat(key, ": ", ToString(author_), " has never claimed its task"));
  }
  const auto claimant = claimants_.find(id);
  const bool is_winners = claimant != claimants_.end() && object.author == claimant->second;
  if (object.author != author_ && is_winners) {
    Break(absl::StrCat(key, ": ", ToString(author_), " has lost the task and yet replaced what ",
                       ToString(object.author), " had delivered"));
  }
  object = {generation, author_};
}

void Judge::CheckCompleteTasks() {
  for (const auto& [id, objects] : complete_) {
    for (const auto& [key, generation] : objects) {
      if (gcs_.GenerationOf(key) == generation) continue;
      Break(absl::StrCat(key, ": replaced after ", id, " was complete"));
    }
  }
}

}  // namespace sparkles
