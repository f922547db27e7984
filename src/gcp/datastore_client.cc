#include "gcp/datastore_client.h"

#include <algorithm>
#include <functional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "gcp/api_error.h"
#include "http/transient.h"

namespace sparkles {
namespace {

// Datastore usually answers within a fraction of a second; a longer wait often means a lost packet.
// A request and its retry must fit into the 20 s after SIGTERM.
constexpr absl::Duration kTimeout = absl::Seconds(4);
// For slow servers. Google's own clients use the same limit.
constexpr absl::Duration kLongestTimeout = absl::Seconds(60);
constexpr RetryPolicy kPolicy = {absl::Milliseconds(100), absl::Seconds(1), absl::Seconds(4)};
// A query that finds nothing and is not at its end is repeated at most this often.
constexpr int kMaxBatches = 20;
constexpr int kMaxLookups = 20;
// An entity nests 20 levels deep at most. Each level can be an array of entities, with nine
// brackets.
constexpr int kMaxResponseDepth = 400;

absl::Status Garbled(absl::string_view method) {
  return Transient(absl::InternalError(absl::StrCat("Datastore ", method, ": garbled answer")),
                   /*maybe_applied=*/true);
}

Json PropertyFilter(absl::string_view property, absl::string_view op, const Json& value) {
  return {{"propertyFilter",
           {{"property", {{"name", std::string(property)}}},
            {"op", std::string(op)},
            {"value", value}}}};
}

// Equality filters with an inequality on the key need no composite index.
Json FilterOf(const EqualityFilter& filter, const Json& after) {
  Json filters = Json::array();
  for (const auto& [property, value] : filter) {
    filters.push_back(PropertyFilter(property, "EQUAL", value));
  }
  if (!after.is_null()) {
    filters.push_back(PropertyFilter("__key__", "GREATER_THAN", {{"keyValue", after}}));
  }
  return {{"compositeFilter", {{"op", "AND"}, {"filters", std::move(filters)}}}};
}

Json QueryOf(const std::string& kind, const EqualityFilter& filter, const Json& after, int limit) {
  return {{"kind", Json::array({{{"name", kind}}})},
          {"filter", FilterOf(filter, after)},
          {"limit", limit}};
}

// The version in a result of a lookup or a commit; nullopt if there is no version.
std::optional<int64_t> VersionIn(const Json& result) {
  int64_t version;
  const bool read = absl::SimpleAtoi(JsonText(result, "version"), &version) && version > 0;
  return read ? std::optional(version) : std::nullopt;
}

// Stores the entities of one answer in the order of their keys. False if the answer leaves out a
// requested key: then a deleted entity cannot be told from a garbled answer.
bool TakeFound(const Json& answer, const std::vector<EntityKey>& keys, size_t asked,
               LookupResult& result) {
  size_t told = 0;
  for (const char* list : {"found", "missing", "deferred"}) {
    const Json* entries = JsonField(answer, list);
    if (entries != nullptr && !entries->is_array()) return false;
    told += entries == nullptr ? 0 : entries->size();
  }
  if (told != asked) return false;
  const Json* found = JsonField(answer, "found");
  for (const Json& item : found == nullptr ? Json::array() : *found) {
    const Json* json = JsonField(item, "entity");
    if (json == nullptr) return false;
    absl::StatusOr<Entity> entity = Entity::Parse(*json);
    const std::optional<int64_t> version = VersionIn(item);
    if (!entity.ok() || !version) return false;
    const std::optional<EntityKey> key = ParseEntityKey(entity->key());
    const auto place = key ? std::find(keys.begin(), keys.end(), *key) : keys.end();
    if (place == keys.end()) return false;
    result[static_cast<size_t>(place - keys.begin())] = {*std::move(entity), *version};
  }
  return true;
}

// For a read outside of transactions. ABORTED means that a lock was in the way. The lock goes away,
// and the error says nothing about the entity.
template <typename T>
absl::StatusOr<T> NotAborted(absl::StatusOr<T> result) {
  if (!absl::IsAborted(result.status())) return result;
  return Transient(absl::UnavailableError(result.status().message()), /*maybe_applied=*/false);
}

}  // namespace

DatastoreClient::Method::Method(const char* method_name)
    : name(method_name), time(kTimeout, kLongestTimeout) {}

DatastoreClient::DatastoreClient(ApiClient& api, absl::string_view project_id,
                                 DatastoreOptions options)
    : api_(api),
      options_(std::move(options)),
      base_url_(absl::StrCat(api.base_url(), "/v1/projects/", project_id, ":")),
      lookup_("lookup"),
      query_("runQuery"),
      commit_("commit") {}

HttpRequest DatastoreClient::MakePost(const Method& method, const std::string& body) const {
  HttpRequest request;
  request.method = "POST";
  request.url = absl::StrCat(base_url_, method.name);
  request.headers.Add("Content-Type", "application/json");
  request.body = body;
  request.timeout = method.time.limit();
  const CancelToken* const stop = options_.stop;
  const bool stopping = stop != nullptr && stop->cancelled();
  if (stopping) request.timeout = std::min(request.timeout, options_.stop_time.request_limit());
  request.accept_compressed = true;
  request.on_progress = [this, stopping, stopped_at = absl::InfiniteFuture()]() mutable {
    if (options_.heartbeat != nullptr) options_.heartbeat->Beat();
    if (stopping || options_.stop == nullptr || !options_.stop->cancelled()) {
      return absl::OkStatus();
    }
    const absl::Time now = api_.clock().Now();
    stopped_at = std::min(stopped_at, now);
    if (now - stopped_at < options_.stop_time.flight_limit()) return absl::OkStatus();
    return Transient(absl::DeadlineExceededError("no answer before the worker has to end"),
                     /*maybe_applied=*/true);
  };
  return request;
}

absl::StatusOr<Json> DatastoreClient::Call(Method& method, const Json& body,
                                           Idempotency idempotency, const CancelToken& cancel) {
  const std::string text = DumpJson(body);
  absl::Time sent_at;
  absl::Duration limit;
  const auto make_request = [&] {
    HttpRequest request = MakePost(method, text);
    sent_at = api_.clock().Now();
    limit = request.timeout;
    return request;
  };
  auto response = api_.Send(make_request, kPolicy, idempotency, cancel);
  if (response.ok()) method.time.OnAnswer(api_.clock().Now() - sent_at);
  if (!response.ok()) {
    absl::Status error = Annotate(response.status(), absl::StrCat("Datastore ", method.name));
    // A failed connection does not show how long Datastore takes.
    if (absl::IsDeadlineExceeded(error) && MaybeApplied(error)) method.time.OnTimeout(limit);
    // Datastore explains every refusal. A refusal without an explanation is from another server.
    const bool known = IsGoogleError(error) || IsTransient(error) || IsMachineFault(error) ||
                       absl::IsCancelled(error);
    if (known) return error;
    return Transient(absl::UnavailableError(error.message()), /*maybe_applied=*/true);
  }
  absl::StatusOr<Json> json = ParseJson(response->body, kMaxResponseDepth);
  if (!json.ok() || !json->is_object()) return Garbled(method.name);
  return json;
}

absl::StatusOr<LookupResult> DatastoreClient::Lookup(const std::vector<EntityKey>& keys,
                                                     const CancelToken& cancel) {
  LookupResult result(keys.size());
  Json wanted = Json::array();
  for (const EntityKey& key : keys) wanted.push_back(ToJson(key));
  // A busy server defers some keys to another request.
  for (int lookups = 0; lookups < kMaxLookups; ++lookups) {
    const Json body = {{"keys", wanted}, {"readOptions", {{"readConsistency", "STRONG"}}}};
    ASSIGN_OR_RETURN(const Json answer,
                     NotAborted(Call(lookup_, body, Idempotency::kIdempotent, cancel)));
    if (!TakeFound(answer, keys, wanted.size(), result)) return Garbled("lookup");
    const Json* deferred = JsonField(answer, "deferred");
    if (deferred == nullptr || deferred->empty()) return result;
    wanted = *deferred;
  }
  return Transient(absl::UnavailableError("Datastore lookup: the server keeps deferring keys"),
                   false);
}

absl::StatusOr<DatastoreClient::Results> DatastoreClient::RunQuery(Json body,
                                                                   const CancelToken& cancel) {
  Results all;
  const auto limit = body["query"]["limit"].get<size_t>();
  for (int batches = 0; batches < kMaxBatches; ++batches) {
    ASSIGN_OR_RETURN(Json answer, NotAborted(Call(query_, body, Idempotency::kIdempotent, cancel)));
    const Json* batch = JsonField(answer, "batch");
    if (batch == nullptr) return Garbled("runQuery");
    const Json* results = JsonField(*batch, "entityResults");
    if (results != nullptr && !results->is_array()) return Garbled("runQuery");
    for (const Json& result : results == nullptr ? Json::array() : *results) {
      const Json* entity = JsonField(result, "entity");
      if (entity == nullptr || JsonField(*entity, "key") == nullptr) return Garbled("runQuery");
      all.entities.push_back(*entity);
    }
    // The emulator never reports the end of a query; it only reports that more results follow.
    const std::string cursor = JsonText(*batch, "endCursor");
    const bool finished = JsonText(*batch, "moreResults") != "NOT_FINISHED";
    all.at_end = finished && all.entities.size() < limit;
    if (!all.entities.empty() || finished) return all;
    if (cursor.empty()) break;
    body["query"]["startCursor"] = cursor;
  }
  // A worker that takes this for an empty queue exits and leaves tasks behind.
  return Transient(
      absl::UnavailableError("Datastore runQuery: no result, and the query is not at its end"),
      /*maybe_applied=*/false);
}

absl::StatusOr<KeyPage> DatastoreClient::FindKeys(const std::string& kind,
                                                  const EqualityFilter& filter, const Json& after,
                                                  int limit, const CancelToken& cancel) {
  Json query = QueryOf(kind, filter, after, limit);
  query["projection"] = Json::array({{{"property", {{"name", "__key__"}}}}});
  ASSIGN_OR_RETURN(const Results found, RunQuery({{"query", std::move(query)}}, cancel));
  KeyPage page;
  for (const Json& entity : found.entities) page.keys.push_back(entity["key"]);
  page.at_end = found.at_end;
  return page;
}

absl::StatusOr<EntityPage> DatastoreClient::FindEntities(const std::string& kind,
                                                         const EqualityFilter& filter,
                                                         const std::vector<std::string>& properties,
                                                         const Json& after, int limit,
                                                         const CancelToken& cancel) {
  // A projection would leave out entities without an index on all properties.
  ASSIGN_OR_RETURN(Results found, RunQuery({{"query", QueryOf(kind, filter, after, limit)},
                                            {"propertyMask", {{"paths", properties}}}},
                                           cancel));
  EntityPage page;
  for (Json& json : found.entities) {
    absl::StatusOr<Entity> entity = Entity::Parse(std::move(json));
    if (!entity.ok()) return Garbled("runQuery");
    page.entities.push_back(*std::move(entity));
  }
  page.at_end = found.at_end;
  return page;
}

absl::StatusOr<std::optional<int64_t>> DatastoreClient::Update(const Entity& entity,
                                                               int64_t base_version) {
  const CancelToken never;
  const Json body = {
      {"mode", "TRANSACTIONAL"},
      {"singleUseTransaction", {{"readWrite", Json::object()}}},
      {"mutations",
       Json::array({{{"update", entity.json()}, {"baseVersion", absl::StrCat(base_version)}}})}};
  const absl::StatusOr<Json> answer = Call(commit_, body, Idempotency::kNotIdempotent, never);
  if (answer.ok()) {
    const Json* results = JsonField(*answer, "mutationResults");
    if (results == nullptr || !results->is_array() || results->size() != 1) return std::nullopt;
    const Json& result = results->front();
    const Json* conflict = JsonField(result, "conflictDetected");
    if (conflict != nullptr && *conflict != false) return std::nullopt;
    return VersionIn(result);
  }
  const absl::Status& error = answer.status();
  const bool not_sent = IsTransient(error) ? !MaybeApplied(error) : IsMachineFault(error);
  if (not_sent) return error;
  const bool is_clear = !IsTransient(error) && IsGoogleError(error) && !absl::IsAborted(error);
  if (is_clear) return error;
  return std::nullopt;
}

}  // namespace sparkles
