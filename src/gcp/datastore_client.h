// Calls the methods of Datastore's REST API that a queue needs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/cancel.h"
#include "base/heartbeat.h"
#include "base/stop_time.h"
#include "gcp/adaptive_timeout.h"
#include "gcp/api_client.h"
#include "gcp/entity.h"
#include "http/retry.h"

namespace sparkles {

// Names and values of properties. An entity passes if all of them are equal.
using EqualityFilter = std::vector<std::pair<std::string, Json>>;

// An entity as the server stores it.
struct StoredEntity {
  Entity entity;
  // Set by the server. Each change of the entity raises the version. An entity that was deleted and
  // created again has another version.
  int64_t version = 0;
};

// One result for each key, in the order of the keys; nullopt if the entity does not exist.
using LookupResult = std::vector<std::optional<StoredEntity>>;

// One page of a query.
struct KeyPage {
  std::vector<Json> keys;  // in the server's form, in key order
  bool at_end = false;     // no other entity after these passes the filter
};

struct EntityPage {
  std::vector<Entity> entities;  // in key order
  bool at_end = false;           // as in KeyPage
};

struct DatastoreOptions {
  // Borrowed, may be null. After `stop` is cancelled, `stop_time` limits each request.
  const CancelToken* stop = nullptr;
  StopTime stop_time = {};
  Heartbeat* heartbeat = nullptr;  // borrowed, may be null; beats about once a second of a request
};

// Thread-safe. Uses the default database and namespace of one project. Errors begin with "Datastore
// METHOD". Retries transient errors for a few seconds; the caller retries for longer if needed. The
// timeout of a request starts at 4 s. Each timeout doubles the timeout of the next request with the
// same method, up to 60 s.
class DatastoreClient {
 public:
  // Borrows `api`.
  DatastoreClient(ApiClient& api, absl::string_view project_id, DatastoreOptions options = {});

  // Returns current data (strong consistency). At most 1,000 keys.
  absl::StatusOr<LookupResult> Lookup(const std::vector<EntityKey>& keys,
                                      const CancelToken& cancel);

  // Up to `limit` keys of entities that pass `filter`, after the key `after` (null: from the first
  // key). The server may return fewer keys; an empty page is always at_end. Usually one request.
  absl::StatusOr<KeyPage> FindKeys(const std::string& kind, const EqualityFilter& filter,
                                   const Json& after, int limit, const CancelToken& cancel);

  // The same for entities. Each has only these `properties`, as far as they exist, and perhaps
  // others: the emulator returns all. Works for properties without an index.
  absl::StatusOr<EntityPage> FindEntities(const std::string& kind, const EqualityFilter& filter,
                                          const std::vector<std::string>& properties,
                                          const Json& after, int limit, const CancelToken& cancel);

  // Replaces `entity` if its stored version is `base_version`. Returns
  // - the new stored version: the entity was replaced;
  // - nullopt: the result is unknown, and the caller must look up the entity. There was no clear
  //   answer, or there was a conflict, perhaps with a copy of the same request;
  // - an error: nothing was applied. NotFound: the entity does not exist.
  // The request is a transaction of its own, and a second copy of the request has no effect. It
  // cannot be cancelled, because the caller needs the result. It takes about a minute at most.
  absl::StatusOr<std::optional<int64_t>> Update(const Entity& entity, int64_t base_version);

 private:
  struct Method {
    explicit Method(const char* method_name);
    const std::string name;
    AdaptiveTimeout time;
  };

  struct Results {
    std::vector<Json> entities;
    bool at_end = false;
  };

  // Runs the query in `body` until it has a result or is at its end.
  absl::StatusOr<Results> RunQuery(Json body, const CancelToken& cancel);
  absl::StatusOr<Json> Call(Method& method, const Json& body, Idempotency idempotency,
                            const CancelToken& cancel);
  HttpRequest MakePost(const Method& method, const std::string& body) const;

  ApiClient& api_;
  const DatastoreOptions options_;
  const std::string base_url_;  // prefix of all methods
  Method lookup_;
  Method query_;
  Method commit_;
};

}  // namespace sparkles
