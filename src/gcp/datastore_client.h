// The calls of Datastore's REST API that a queue needs.
// The one hard idea: a commit has three ends. Between "applied" and "refused" there is "nobody
// knows" (no answer, or one that does not say), and only reading again can tell.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/cancel.h"
#include "base/stop_time.h"
#include "gcp/answer_time.h"
#include "gcp/api_client.h"
#include "gcp/entity.h"
#include "http/retry.h"

namespace sparkles {

// Properties that must all have these values.
using EqualityFilter = std::vector<std::pair<std::string, Json>>;

struct LookupResult {
  std::vector<std::optional<Entity>> entities;  // in the order of the keys; nullopt: no such entity
  std::string transaction;                      // empty unless one was asked for
};

enum class CommitEnd {
  kApplied,
  kContention,  // not applied: what the transaction read has changed since; start a new one
  kUnknown,     // applied or not: read again
};

struct DatastoreOptions {
  // Borrowed, may be null. After its cancellation `stop_time` limits requests.
  const CancelToken* stop = nullptr;
  StopTime stop_time = {};
  // May be empty; called about every second of a request.
  std::function<void()> alive = nullptr;
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

  // The same as the first step of a transaction: whoever does not commit it rolls it back. Aborted:
  // contention, as kContention of a commit.
  absl::StatusOr<LookupResult> LookupInTransaction(const std::vector<EntityKey>& keys,
                                                   const CancelToken& cancel);

  // Up to `limit` keys (as the server writes them) of entities that pass `filter`; the server may
  // give fewer, but none only if there are none. One request, as a rule.
  absl::StatusOr<std::vector<Json>> FindKeys(const std::string& kind, const EqualityFilter& filter,
                                             int limit, const CancelToken& cancel);

  // Ends the transaction by replacing `entity`, which must exist. Cannot be cancelled: its end must
  // be known; takes about a minute at most. An error means that nothing was applied.
  absl::StatusOr<CommitEnd> Commit(const std::string& transaction, const Entity& entity);

  // Gives up a transaction and its locks; one that nobody ends does so by itself. Tried once. OK:
  // no commit of it, however late it arrives, will be applied. InvalidArgument: it had ended
  // before.
  absl::Status Rollback(const std::string& transaction);

 private:
  struct Method {
    explicit Method(const char* method_name);
    const std::string name;
    AnswerTime time;
  };

  // `sendings`, if given, counts how often it was sent.
  absl::StatusOr<Json> Call(Method& method, const Json& body, Idempotency idempotency,
                            const CancelToken& cancel, int* sendings = nullptr);
  HttpRequest MakePost(const Method& method, const std::string& body) const;
  absl::StatusOr<LookupResult> LookupAll(const std::vector<EntityKey>& keys, Json options,
                                         const CancelToken& cancel);

  ApiClient& api_;
  const DatastoreOptions options_;
  const std::string base_url_;  // of all methods
  Method lookup_;
  Method query_;
  Method commit_;
  Method rollback_;
};

}  // namespace sparkles
