#include "tests/support/fake_datastore.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gcp/json_text.h"

namespace sparkles {
namespace {

// What Datastore allows a transaction.
constexpr absl::Duration kLongestTransaction = absl::Seconds(270);

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

// Whether a property has the value that a filter asks for.
bool Passes(const Json& entity, const Json& filter) {
  const Json& asked = filter["propertyFilter"];
  const Json* properties = JsonField(entity, "properties");
  if (properties == nullptr) return false;
  const Json* value = JsonField(*properties, JsonText(asked["property"], "name").c_str());
  return value != nullptr && AsString(value) == AsString(&asked["value"]);
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
  if (method == "rollback") {
    if (transactions_.erase(JsonText(*json, "transaction")) > 0) return Answer(Json::object());
    return Refusal(400, "INVALID_ARGUMENT", "The referenced transaction has expired or is closed");
  }
  return Refusal(404, "NOT_FOUND", method);
}

HttpResponse FakeDatastore::Lookup(const Json& request) {
  const Json& options = request["readOptions"];
  std::string id = JsonText(options, "transaction");
  Json answer = {{"found", Json::array()}, {"missing", Json::array()}};
  if (options.contains("newTransaction")) {
    id = absl::StrCat("tx", ++last_transaction_);
    transactions_[id].begun = clock_.Now();
    answer["transaction"] = id;
  }
  const auto transaction = transactions_.find(id);
  if (!id.empty() && transaction == transactions_.end()) {
    return Refusal(400, "INVALID_ARGUMENT", "The referenced transaction has expired");
  }
  for (const Json& key : request["keys"]) {
    const std::string path = PathOf(*ParseEntityKey(key));
    const auto found = entities_.find(path);
    const bool there = found != entities_.end();
    if (!id.empty()) transaction->second.read[path] = there ? found->second.version : 0;
    const Json entity = there ? found->second.entity : Json{{"key", key}};
    answer[there ? "found" : "missing"].push_back({{"entity", entity}});
  }
  return Answer(answer);
}

HttpResponse FakeDatastore::RunQuery(const Json& request) const {
  const Json& query = request["query"];
  Json results = Json::array();
  const std::string kind = absl::StrCat(JsonText(query["kind"][0], "name"), "/");
  for (const auto& [path, stored] : entities_) {
    if (results.size() == query["limit"].get<size_t>()) break;
    if (!absl::StartsWith(path, kind)) continue;
    bool passes = true;
    for (const Json& filter : query["filter"]["compositeFilter"]["filters"]) {
      passes = passes && Passes(stored.entity, filter);
    }
    if (passes) results.push_back({{"entity", {{"key", stored.entity["key"]}}}});
  }
  return Answer({{"batch", {{"entityResults", results}, {"moreResults", "NO_MORE_RESULTS"}}}});
}

// Why the transaction cannot be committed. It is at its end in any case.
std::optional<HttpResponse> FakeDatastore::Conflict(const std::string& id) {
  const auto found = transactions_.find(id);
  if (found == transactions_.end()) {
    return Refusal(400, "INVALID_ARGUMENT", "The referenced transaction has expired or is closed");
  }
  const Transaction transaction = std::move(found->second);
  transactions_.erase(found);
  if (clock_.Now() - transaction.begun > kLongestTransaction) {
    return Refusal(400, "INVALID_ARGUMENT", "The referenced transaction has expired");
  }
  for (const auto& [path, version] : transaction.read) {
    const auto now = entities_.find(path);
    if ((now == entities_.end() ? 0 : now->second.version) != version) {
      return Refusal(409, "ABORTED", "too much contention on these datastore entities");
    }
  }
  return std::nullopt;
}

HttpResponse FakeDatastore::Commit(const Json& request) {
  if (auto conflict = Conflict(JsonText(request, "transaction"))) return *std::move(conflict);
  Json results = Json::array();
  for (const Json& mutation : request["mutations"]) {
    const Json* entity = JsonField(mutation, "update");
    if (entity == nullptr) return Refusal(400, "INVALID_ARGUMENT", "only updates");
    const EntityKey key = *ParseEntityKey((*entity)["key"]);
    if (!entities_.contains(PathOf(key))) return Refusal(404, "NOT_FOUND", "no entity to update");
    Change(key, *entity, /*in_transaction=*/true);
    results.push_back({{"version", absl::StrCat(last_version_)}});
  }
  return Answer({{"mutationResults", results}});
}

void FakeDatastore::Change(const EntityKey& key, const Json& after, bool in_transaction) {
  const auto found = entities_.find(PathOf(key));
  const Json before = found == entities_.end() ? Json() : found->second.entity;
  if (after.is_null()) {
    entities_.erase(PathOf(key));
  } else {
    entities_[PathOf(key)] = {after, ++last_version_};
  }
  if (on_change_) on_change_(key, before, after, in_transaction);
}

void FakeDatastore::Put(const EntityKey& key, const Json& entity) {
  MutexLock lock(mutex_);
  Change(key, entity, /*in_transaction=*/false);
}

void FakeDatastore::Delete(const EntityKey& key) {
  MutexLock lock(mutex_);
  Change(key, Json(), /*in_transaction=*/false);
}

Json FakeDatastore::Get(const EntityKey& key) const {
  MutexLock lock(mutex_);
  const auto found = entities_.find(PathOf(key));
  return found == entities_.end() ? Json() : found->second.entity;
}

}  // namespace sparkles
