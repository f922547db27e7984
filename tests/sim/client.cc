#include "tests/sim/client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/hash.h"
#include "base/json.h"
#include "queue/task_entity.h"
#include "tests/sim/commands.h"
#include "tests/sim/entities.h"

namespace sparkles {
namespace {

// Longer than any run needs after all services are up, even with frozen machines.
constexpr absl::Duration kLongest = absl::Hours(12);

double Seconds(absl::Time time) { return absl::ToDoubleSeconds(time - absl::UnixEpoch()); }

Json Entry(const char* status, absl::Time now) {
  return EntityValue({{"timestamp", DoubleValue(Seconds(now))},
                      {"status", StringValue(status)},
                      {"owner", NullValue()},
                      {"failure_reason", NullValue()}});
}

// "" if the task does not exist.
std::string StatusOf(const Json& task) { return task.is_null() ? "" : TextIn(task, "status"); }

}  // namespace

void Client::Submit() {
  world_.gcs.Put(InputKey(), InputText());
  const int jobs = 1 + static_cast<int>(world_.scheduler.Random(2));
  for (int i = 0; i < jobs; ++i) {
    const int tasks = 1 + static_cast<int>(world_.scheduler.Random(4));
    const std::string job = absl::StrCat("job", i);
    world_.jobs[job] = tasks;
    PutJob(job, tasks);
  }
}

void Client::PutJob(const std::string& job, int tasks) {
  const Json entity = {
      {"key", ToJson({kJobKind, job})},
      {"properties", {{"status", StringValue("running")}, {"cluster", StringValue("cluster")}}}};
  world_.datastore.Put({kJobKind, job}, entity);
  for (int i = 1; i <= tasks; ++i) {
    const std::string id = absl::StrCat(job, ".", i);
    world_.datastore.Put({kTaskKind, id}, TaskOf(job, i));
  }
}

Json Client::TaskOf(const std::string& job, int index) {
  const std::string id = absl::StrCat(job, ".", index);
  std::string args = DumpJson(SpecOf(id));
  if (world_.scheduler.Chance(0.3)) {
    world_.gcs.Put(absl::StrCat(Judge::kBucket, "/specs%2F", id), args);
    args = absl::StrCat("gs://", Judge::kBucket, "/specs/", id);
  }
  Json number = IntegerValue(index);
  const absl::Time now = world_.scheduler.Now();
  Json properties = {
      {"task_index", number},
      {"job_id", StringValue(job)},
      {"cluster", StringValue(World::kCluster)},
      {"args", Unindexed(StringValue(args))},
      {"command_result_url", NullValue()},
      {"log_url", NullValue()},
      {"status", StringValue("pending")},
      {"owner", NullValue()},
      {"monitor_address", NullValue()},
      {"failure_reason", NullValue()},
      {"exit_code", NullValue()},
      {"history", {{"arrayValue", {{"values", Json::array({Entry("pending", now)})}}}}},
      {"version", IntegerValue(1)}};
  if (world_.scheduler.Chance(0.5)) properties["last_updated"] = DoubleValue(Seconds(now));
  if (world_.scheduler.Chance(0.3)) properties["of_the_future"] = Unindexed(StringValue("kept"));
  return {{"key", ToJson({kTaskKind, id})}, {"properties", properties}};
}

std::string Client::RandomTask() {
  auto job = world_.jobs.begin();
  std::advance(job, world_.scheduler.Random(world_.jobs.size()));
  const uint64_t index = world_.scheduler.Random(static_cast<uint64_t>(job->second));
  return absl::StrCat(job->first, ".", index + 1);
}

// Reads, waits and writes, so that changes of a worker meanwhile are overwritten.
void Client::Overwrite(const std::string& task_id, const char* status, const char* entry) {
  Json task = world_.datastore.Get({kTaskKind, task_id});
  if (task.is_null()) return;
  if (world_.scheduler.Chance(0.3)) {
    world_.scheduler.Sleep(world_.scheduler.RandomDuration(absl::Seconds(5)), nullptr);
  }
  Json& properties = task["properties"];
  properties["owner"] = NullValue();
  properties["status"] = StringValue(status);
  properties["version"] = IntegerValue(AsInteger(&properties["version"]).value_or(0) + 1);
  properties["history"]["arrayValue"]["values"].push_back(Entry(entry, world_.scheduler.Now()));
  world_.scheduler.Note(absl::StrCat("client: ", entry, " of ", task_id));
  world_.datastore.Put({kTaskKind, task_id}, task);
}

void Client::Reset(const std::string& task_id) { Overwrite(task_id, "pending", "reset"); }

void Client::KillTask(const std::string& task_id) { Overwrite(task_id, "killed", "killed"); }

void Client::DisturbRandomTask() {
  ResetFrozen();
  const std::string task = RandomTask();
  DisturbTask(task);
  DisturbJob(JobIdOf(task));
}

void Client::DisturbTask(const std::string& task_id) {
  const std::string status = StatusOf(world_.datastore.Get({kTaskKind, task_id}));
  if (status == "claimed" && world_.ShouldInject(Fault::kReset)) return Reset(task_id);
  if (IsFinal(status) && world_.ShouldInject(Fault::kRepeat)) return Reset(task_id);
  if (!IsFinal(status) && world_.ShouldInject(Fault::kKillTask)) return KillTask(task_id);
  if (!world_.ShouldInject(Fault::kDelete)) return;
  world_.scheduler.Note(absl::StrCat("client: deletes ", task_id));
  world_.datastore.Delete({kTaskKind, task_id});
}

void Client::DisturbJob(const std::string& job) {
  if (world_.ShouldInject(Fault::kKillJob)) {
    world_.scheduler.Note(absl::StrCat("client: kills ", job));
    world_.datastore.Put({kJobKind, job}, {{"key", ToJson({kJobKind, job})},
                                           {"properties", {{"status", StringValue("killed")}}}});
  }
  if (world_.ShouldInject(Fault::kRecreate)) {
    world_.scheduler.Note(absl::StrCat("client: makes ", job, " anew"));
    for (int i = 1; i <= world_.jobs[job]; ++i) {
      world_.datastore.Delete({kTaskKind, absl::StrCat(job, ".", i)});
    }
    world_.scheduler.Sleep(world_.scheduler.RandomDuration(absl::Seconds(20)), nullptr);
    PutJob(job, world_.jobs[job]);
  }
}

std::vector<std::string> Client::TaskIds() const {
  std::vector<std::string> ids;
  for (const auto& [job, tasks] : world_.jobs) {
    for (int i = 1; i <= tasks; ++i) ids.push_back(absl::StrCat(job, ".", i));
  }
  return ids;
}

void Client::ResetFrozen() {
  for (const std::string& id : TaskIds()) {
    const int holder = world_.judge.HolderOf(id).vm;
    if (holder != 0 && world_.scheduler.IsPaused(holder) && world_.scheduler.Chance(0.3)) Reset(id);
  }
}

void Client::ResetAbandoned() {
  for (const std::string& id : TaskIds()) {
    const Author holder = world_.judge.HolderOf(id);
    if (holder.vm == 0) continue;
    const Machine& machine = *world_.machines[static_cast<size_t>(holder.vm - 1)];
    const bool lives = machine.alive && machine.author() == holder;
    // The next life of the worker hands back every other claim, from its journal.
    const bool gone = machine.vanished || holder.life <= machine.lost_lives;
    if (!lives && gone) Reset(id);
  }
}

bool Client::AllEnded() { return Unfinished().empty(); }

std::string Client::Unfinished() {
  std::string list;
  for (const std::string& id : TaskIds()) {
    const std::string status = StatusOf(world_.datastore.Get({kTaskKind, id}));
    if (status.empty() || IsFinal(status)) continue;
    absl::StrAppend(&list, " ", id, " is ", status, " by ", ToString(world_.judge.HolderOf(id)),
                    ";");
  }
  return list;
}

void Client::Run() {
  while (!world_.calm()) {
    world_.scheduler.Sleep(world_.scheduler.RandomDuration(absl::Seconds(20)), nullptr);
    if (!world_.calm()) DisturbRandomTask();
  }
  const absl::Time late = world_.scheduler.Now() + kLongest;
  while (!AllEnded()) {
    world_.scheduler.Sleep(absl::Minutes(2), nullptr);
    ResetAbandoned();
    if (world_.scheduler.Now() < late) continue;
    world_.judge.Break(absl::StrCat("not every task comes to its end:", Unfinished()));
    return;
  }
}

}  // namespace sparkles
