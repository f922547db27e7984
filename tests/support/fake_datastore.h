// A Datastore in memory behind the HTTP interface, with the methods that a queue uses.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "base/json.h"
#include "base/mutex.h"
#include "gcp/entity.h"
#include "http/transport.h"

namespace sparkles {

// Thread-safe. Ignores tokens and has no faults.
class FakeDatastore : public HttpTransport {
 public:
  // Called, with a lock held, for each change by a worker's commit or by a client. `before` and
  // `after` are null if there is no entity.
  using OnChange = std::function<void(const EntityKey& key, const Json& before, const Json& after,
                                      bool by_worker)>;

  // Call while no request is sent.
  void SetOnChange(OnChange on_change) { on_change_ = std::move(on_change); }
  absl::StatusOr<HttpResponse> Send(const HttpRequest& request) override;

  // The plain writes, deletions and reads of a client, without HTTP. Null if there is no such
  // entity.
  void Put(const EntityKey& key, const Json& entity);
  void Delete(const EntityKey& key);
  Json Get(const EntityKey& key) const;

 private:
  struct Stored {
    Json entity;
    int64_t version = 0;
  };

  HttpResponse Lookup(const Json& request) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  HttpResponse RunQuery(const Json& request) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  HttpResponse Commit(const Json& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Applies a mutation of a single-use transaction, and adds its result to `results`.
  std::optional<HttpResponse> Apply(const Json& mutation, Json& results)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Change(const EntityKey& key, const Json& after, bool by_worker)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Adds the entity to the indexes, or removes it from them.
  void Index(const std::string& path, const Json& entity, bool add)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  OnChange on_change_;
  mutable Mutex mutex_;
  std::map<std::string, Stored> entities_ ABSL_GUARDED_BY(mutex_);  // by "KIND/NAME"
  // From "property=value" to the paths of the entities with this value; strings only.
  std::map<std::string, std::set<std::string>> indexes_ ABSL_GUARDED_BY(mutex_);
  int64_t last_version_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sparkles
