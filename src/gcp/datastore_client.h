// The calls of Datastore's REST API that a queue needs.
//
// An update is applied for certain only if the server says so. After any other answer a lookup
// tells.
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
#include "base/stop_time.h"
#include "base/vitals.h"
#include "gcp/answer_time.h"
#include "gcp/api_client.h"
#include "gcp/entity.h"
#include "http/retry.h"

namespace sparkles {

// Properties that must all have these values.
using EqualityFilter = std::vector<std::pair<std::string, Json>>;

// An entity as the server stores it.
struct StoredEntity {
  Entity entity;
  // Set by the server. Every change of the entity raises it, and an entity that was deleted and
  // made anew gets another one.
  int64_t version = 0;
};

// In the order of the keys that were asked for; nullopt: there is no such entity.
using LookupResult = std::vector<std::optional<StoredEntity>>;

// One page of a query.
struct KeyPage {
  std::vector<Json> keys;  // as the server writes them, in the order of keys
  bool at_end = false;     // no entity behind these passes the filter
};

struct DatastoreOptions {
  // Borrowed, may be null. After its cancellation `stop_time` limits requests.
  const CancelToken* stop = nullptr;
  StopTime stop_time = {};
  Heartbeat* heartbeat = nullptr;  // borrowed, may be null; beats about every second of a request
};

// Thread-safe. Works on the default database and namespace of one project. Errors begin with
// "Datastore METHOD". Transient errors are retried for a few seconds; longer patience is the
// caller's. A request has a timeout of 4 s. Each timeout doubles that of the next request with the
// same method, up to 60 s.
class DatastoreClient {
 public:
  // Borrows `api`.
  DatastoreClient(ApiClient& api, absl::string_view project_id, DatastoreOptions options = {});

  // Reads what is current. At most 1,000 keys.
  absl::StatusOr<LookupResult> Lookup(const std::vector<EntityKey>& keys,
                                      const CancelToken& cancel);

  // Up to `limit` keys of entities that pass `filter` and stand behind the key `after` (null: from
  // the first key). The server may give fewer; an empty page is at_end. One request, as a rule.
  absl::StatusOr<KeyPage> FindKeys(const std::string& kind, const EqualityFilter& filter,
                                   const Json& after, int limit, const CancelToken& cancel);

  // Replaces `entity` if its stored version is `base_version`. Returns
  // - the stored version after that: the entity was replaced;
  // - nullopt: a lookup must tell whether the entity was replaced. There was no clear answer, or a
  //   conflict, which may be a conflict with a copy of this very request;
  // - an error: nothing was applied. NotFound: there is no such entity.
  // The request is a transaction of its own. A second copy of the request has no effect. Cannot be
  // cancelled, since its result must be known. Takes about a minute at most.
  absl::StatusOr<std::optional<int64_t>> Update(const Entity& entity, int64_t base_version);

 private:
  struct Method {
    explicit Method(const char* method_name);
    const std::string name;
    AnswerTime time;
  };

  absl::StatusOr<Json> Call(Method& method, const Json& body, Idempotency idempotency,
                            const CancelToken& cancel);
  HttpRequest MakePost(const Method& method, const std::string& body) const;

  ApiClient& api_;
  const DatastoreOptions options_;
  const std::string base_url_;  // of all methods
  Method lookup_;
  Method query_;
  Method commit_;
};

}  // namespace sparkles
