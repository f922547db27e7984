// The calls of Datastore's REST API that a queue needs.
// The one hard idea: a commit has three ends. Between "applied" and "refused" there is "nobody
// knows" (no answer, or one that does not say), and only reading again can tell.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/cancel.h"
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

// Thread-safe. Works on the default database and namespace of one project. Errors begin with
// "Datastore METHOD"; those that may pass are retried for a few seconds, patience beyond that is
// the caller's.
class DatastoreClient {
 public:
  // Borrows `api`.
  DatastoreClient(ApiClient& api, absl::string_view project_id);

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
  // be known; takes some ten seconds at most. An error means that nothing was applied.
  absl::StatusOr<CommitEnd> Commit(const std::string& transaction, const Entity& entity);

  // Gives up a transaction and its locks; one that nobody ends does so by itself. Tried once. OK:
  // no commit of it, however late it arrives, will be applied. InvalidArgument: it had ended
  // before.
  absl::Status Rollback(const std::string& transaction);

 private:
  // `sendings`, if given, counts how often it was sent.
  absl::StatusOr<Json> Call(absl::string_view method, const Json& body, Idempotency idempotency,
                            const CancelToken& cancel, int* sendings = nullptr);
  absl::StatusOr<LookupResult> LookupAll(const std::vector<EntityKey>& keys, Json options,
                                         const CancelToken& cancel);

  ApiClient& api_;
  const std::string base_url_;  // of all methods
};

}  // namespace sparkles
