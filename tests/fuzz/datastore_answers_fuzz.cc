// The input is what a Datastore, or something in its place, answers. Whatever it is: each call ends
// in time, and nobody believes to have or to have lost what no answer has told of.
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
    const absl::StatusOr<LookupResult> read = client_.LookupInTransaction({kTask, kJob}, never_);
    if (read.ok()) {
      Require(read->entities.size() == 2, "one for each key");
      Require(!read->transaction.empty(), "a transaction has a name");
      if (read->entities[0]) {
        Require(ParseEntityKey(read->entities[0]->key()) == kTask, "nobody else's entity");
        CheckCommit(*read->entities[0]);
      }
    }
    (void)client_.Lookup({kTask}, never_);
    const auto keys = client_.FindKeys(kTaskKind, {}, 20, never_);
    if (!keys.ok()) return;
    for (const Json& key : *keys) (void)ParseEntityKey(key);
  }

 private:
  void CheckCommit(const Entity& entity) {
    const int before = server_.answered();
    const absl::StatusOr<CommitEnd> end = client_.Commit("tx", entity);
    const bool applied = end.ok() && *end == CommitEnd::kApplied;
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
