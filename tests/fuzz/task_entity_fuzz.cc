// Fuzzes reads and changes of task entities. Any JSON must be safe, and properties of others must
// stay unchanged.

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "base/json.h"
#include "gcp/entity.h"
#include "queue/task_entity.h"
#include "tests/fuzz/require.h"

namespace sparkles {
namespace {

const std::set<std::string> kOurs = {"task_id",         "status",         "owner",
                                     "monitor_address", "history",        "last_updated",
                                     "exit_code",       "failure_reason", "version"};

void CheckRest(const Json& before, const Json& after) {
  const Json* properties = JsonField(before, "properties");
  for (const auto& [name, value] : after["properties"].items()) {
    if (kOurs.contains(name)) continue;
    Require(properties != nullptr && properties->contains(name), "nothing is invented");
    Require(value == (*properties)[name], "nothing is changed");
  }
  if (properties == nullptr) return;
  for (const auto& [name, value] : properties->items()) {
    Require(after["properties"].contains(name), "nothing is lost");
  }
}

void Check(absl::string_view input) {
  const absl::StatusOr<Json> json = ParseJson(input);
  if (!json.ok()) return;
  const absl::StatusOr<Entity> entity = Entity::Parse(*json);
  if (!entity.ok()) return;
  (void)ParseEntityKey(entity->key());
  (void)IsKilledJob(*entity);
  TaskEntity task("job.1", *entity);
  const bool fit = task.Problem().empty();
  (void)task.MayBePendingIn("cluster");
  (void)task.ToTask();
  const size_t claims = static_cast<size_t>(CountClaims(task.History()));
  const int64_t version = task.version();
  const absl::Time now = absl::FromUnixMicros(1'795'457'170'118'003);

  task.Claim("vm", "host:1", now, now);
  if (fit) {
    Require(task.IsClaimOf("vm", version + 1, now), "a claim is recognised");
    Require(static_cast<size_t>(CountClaims(task.History())) == claims + 1, "a claim is counted");
  }
  TaskEntity ended = task;
  ended.Fail("reason", now);
  Require(!ended.IsClaimOf("vm", version + 1, now), "an end ends the claim");
  task.HandBack("reason", now);
  for (const TaskEntity* changed : {&ended, &task}) CheckRest(*json, changed->entity().json());
  const absl::StatusOr<Json> sent = ParseJson(DumpJson(task.entity().json()));
  Require(sent.ok(), "the request is JSON");
}

}  // namespace
}  // namespace sparkles

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sparkles::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
