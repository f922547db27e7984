#include "tests/support/fake_datastore.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gcp/json_text.h"

namespace sparkles {
namespace {

HttpResponse Answer(const Json& json) {
  HttpResponse response;
  response.status = 200;
  response.body = DumpJson(json);
  return response;
}

HttpResponse Refusal(int code, const char* status, absl::string_view message) {
  HttpResponse response =
      Answer({{"error", {{"code", code}, {"status", status}, {"message", std::string(message)}}}});
  response.status = code;
  return response;
}

std::string PathOf(const EntityKey& key) { return absl::StrCat(key.kind, "/", key.name); }

std::string IndexEntry(absl::string_view property, absl::string_view value) {
  return absl::StrCat(property, "=", value);
}

}  // namespace

absl::StatusOr<HttpResponse> FakeDatastore::Send(const HttpRequest& request) {
  const absl::StatusOr<Json> json = ParseJson(request.body);
  if (!json.ok()) return Refusal(400, "INVALID_ARGUMENT", "not JSON");
  const std::string method = request.url.substr(request.url.rfind(':') + 1);
  MutexLock lock(mutex_);
  if (method == "lookup") return Lookup(*json);
  if (method == "runQuery") return RunQuery(*json);
  if (method == "commit") return Commit(*json);
  return Refusal(404, "NOT_FOUND", method);
}

HttpResponse FakeDatastore::Lookup(const Json& request) const {
  Json answer = {{"found", Json::array()}, {"missing", Json::array()}};
  for (const Json& key : request["keys"]) {
    const auto found = entities_.find(PathOf(*ParseEntityKey(key)));
    const bool there = found != entities_.end();
    const Json entity = there ? found->second.entity : Json{{"key", key}};
    const int64_t version = there ? found->second.version : last_version_;
    answer[there ? "found" : "missing"].push_back(
        {{"entity", entity}, {"version", absl::StrCat(version)}});
  }
  return Answer(answer);
}

HttpResponse FakeDatastore::RunQuery(const Json& request) const {
  const Json& query = request["query"];
  const std::string kind = absl::StrCat(JsonText(query["kind"][0], "name"), "/");
  std::string after = kind;
  std::vector<const std::set<std::string>*> indexes;
  for (const Json& filter : query["filter"]["compositeFilter"]["filters"]) {
    const Json& asked = filter["propertyFilter"];
    const std::string property = JsonText(asked["property"], "name");
    if (property == "__key__") {
      after = PathOf(*ParseEntityKey(asked["value"]["keyValue"]));
      continue;
    }
    const auto found = indexes_.find(IndexEntry(property, *AsString(&asked["value"])));
    static const std::set<std::string> kNone;
    indexes.push_back(found == indexes_.end() ? &kNone : &found->second);
  }
  std::sort(indexes.begin(), indexes.end(),
            [](const auto* a, const auto* b) { return a->size() < b->size(); });
  Json results = Json::array();
  const std::set<std::string>& smallest = *indexes.at(0);
  for (auto path = smallest.upper_bound(after); path != smallest.end(); ++path) {
    if (results.size() == query["limit"].get<size_t>() || !absl::StartsWith(*path, kind)) break;
    const bool passes = std::all_of(indexes.begin(), indexes.end(),
                                    [&](const auto* index) { return index->contains(*path); });
    if (passes) results.push_back({{"entity", {{"key", entities_.at(*path).entity["key"]}}}});
  }
  return Answer({{"batch", {{"entityResults", results}, {"moreResults", "NO_MORE_RESULTS"}}}});
}

HttpResponse FakeDatastore::Commit(const Json& request) {
  if (!request.contains("singleUseTransaction")) {
    return Refusal(400, "INVALID_ARGUMENT", "only single-use transactions");
  }
  Json results = Json::array();
  for (const Json& mutation : request["mutations"]) {
    if (auto refusal = Apply(mutation, results)) return *std::move(refusal);
  }
  return Answer({{"mutationResults", results}});
}

std::optional<HttpResponse> FakeDatastore::Apply(const Json& mutation, Json& results) {
  const Json* entity = JsonField(mutation, "update");
  if (entity == nullptr) return Refusal(400, "INVALID_ARGUMENT", "only updates");
  const EntityKey key = *ParseEntityKey((*entity)["key"]);
  const auto stored = entities_.find(PathOf(key));
  if (stored == entities_.end()) return Refusal(404, "NOT_FOUND", "no entity to update");
  const std::string version = absl::StrCat(stored->second.version);
  int64_t base_version = 0;
  const bool read = absl::SimpleAtoi(JsonText(mutation, "baseVersion"), &base_version);
  if (!read || base_version > last_version_) {
    return Refusal(400, "INVALID_ARGUMENT", "the base version is not one of this server");
  }
  if (base_version != stored->second.version) {
    results.push_back({{"version", version}, {"conflictDetected", true}});
    return std::nullopt;
  }
  Change(key, *entity, /*by_worker=*/true);
  results.push_back({{"version", absl::StrCat(last_version_)}});
  return std::nullopt;
}

void FakeDatastore::Index(const std::string& path, const Json& entity, bool add) {
  const Json* properties = JsonField(entity, "properties");
  if (properties == nullptr) return;
  for (const auto& [name, value] : properties->items()) {
    const std::optional<std::string> text = AsString(&value);
    if (!text || IsUnindexed(value)) continue;
    std::set<std::string>& index = indexes_[IndexEntry(name, *text)];
    if (add) {
      index.insert(path);
    } else {
      index.erase(path);
    }
  }
}

void FakeDatastore::Change(const EntityKey& key, const Json& after, bool by_worker) {
  const std::string path = PathOf(key);
  const auto found = entities_.find(path);
  const Json before = found == entities_.end() ? Json() : found->second.entity;
  Index(path, before, /*add=*/false);
  Index(path, after, /*add=*/true);
  if (after.is_null()) {
    entities_.erase(path);
  } else {
    entities_[path] = {after, ++last_version_};
  }
  if (on_change_) on_change_(key, before, after, by_worker);
}

void FakeDatastore::Put(const EntityKey& key, const Json& entity) {
  MutexLock lock(mutex_);
  Change(key, entity, /*by_worker=*/false);
}

void FakeDatastore::Delete(const EntityKey& key) {
  MutexLock lock(mutex_);
  Change(key, Json(), /*by_worker=*/false);
}

Json FakeDatastore::Get(const EntityKey& key) const {
  MutexLock lock(mutex_);
  const auto found = entities_.find(PathOf(key));
  return found == entities_.end() ? Json() : found->second.entity;
}

}  // namespace sparkles
