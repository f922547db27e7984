// Fuzzes the Datastore client with any answers. Each call must end, and must report as read or
// applied only what an answer says.
#include <cstddef>
#include <cstdint>

#include "gcp/api_client.h"
#include "gcp/datastore_client.h"
#include "queue/task_entity.h"
#include "tests/fuzz/fuzz_server.h"
#include "tests/fuzz/require.h"

namespace sparkles {
namespace {

const EntityKey kTask = {kTaskKind, "job.1"};
const EntityKey kJob = {kJobKind, "job"};

class Fuzzed {
 public:
  explicit Fuzzed(absl::string_view input) : server_(input) {}

  void Check() {
    const absl::StatusOr<LookupResult> read = client_.Lookup({kTask, kJob}, never_);
    if (read.ok()) {
      Require(read->size() == 2, "one result for each key");
      if ((*read)[0]) {
        Require(ParseEntityKey((*read)[0]->entity.key()) == kTask, "the entity that was asked for");
        Require((*read)[0]->version > 0, "an entity has a version");
        CheckUpdate(*(*read)[0]);
      }
    }
    const auto page = client_.FindKeys(kTaskKind, {}, Json(), 20, never_);
    if (!page.ok()) return;
    Require(!page->keys.empty() || page->at_end, "an empty page is the end");
    for (const Json& key : page->keys) (void)ParseEntityKey(key);
    const auto entities = client_.FindEntities(kTaskKind, {}, {"status"}, Json(), 20, never_);
    Require(!entities.ok() || !entities->entities.empty() || entities->at_end,
            "an empty page is the end");
  }

 private:
  void CheckUpdate(const StoredEntity& stored) {
    const int before = server_.answered();
    const auto version = client_.Update(stored.entity, stored.version);
    const bool applied = version.ok() && *version;
    Require(!applied || server_.answered() > before, "nothing is applied without an answer");
  }

  FuzzServer server_;
  FuzzClock clock_;
  const CancelToken never_;
  ApiClient api_{{"http://datastore", nullptr}, server_, clock_};
  DatastoreClient client_{api_, "project"};
};

}  // namespace
}  // namespace sparkles

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sparkles::Fuzzed({reinterpret_cast<const char*>(data), size}).Check();
  return 0;
}
