// A Datastore in memory, behind the HTTP seam: as much of its REST API as a queue uses.
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

// Thread-safe. Knows neither tokens nor faults.
class FakeDatastore : public HttpTransport {
 public:
  // Told of each change: by a worker's commit, or by a client. `before` and `after` are null where
  // there is no entity. Called with a lock held.
  using OnChange = std::function<void(const EntityKey& key, const Json& before, const Json& after,
                                      bool by_worker)>;

  // Set it while nobody sends.
  void SetOnChange(OnChange on_change) { on_change_ = std::move(on_change); }
  absl::StatusOr<HttpResponse> Send(const HttpRequest& request) override;

  // What a client does, past HTTP: plain puts, deletes and reads. Null: there is no such entity.
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
  // A mutation of a single-use transaction; `results` gets what became of it.
  std::optional<HttpResponse> Apply(const Json& mutation, Json& results)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Change(const EntityKey& key, const Json& after, bool by_worker)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Adds the entity to the indexes, or removes it.
  void Index(const std::string& path, const Json& entity, bool add)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  OnChange on_change_;
  mutable Mutex mutex_;
  std::map<std::string, Stored> entities_ ABSL_GUARDED_BY(mutex_);  // by "KIND/NAME"
  // "property=value" -> the paths of the entities that have it; strings only.
  std::map<std::string, std::set<std::string>> indexes_ ABSL_GUARDED_BY(mutex_);
  int64_t last_version_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sparkles
