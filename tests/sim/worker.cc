// Runs one life of a simulated worker: cli/consume.cc with simulated interfaces.
#include <fcntl.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "executor/content_cache.h"
#include "executor/executor.h"
#include "executor/task_directory.h"
#include "gcp/api_client.h"
#include "gcp/datastore_client.h"
#include "gcp/gcs_client.h"
#include "queue/claim_journal.h"
#include "queue/datastore_queue.h"
#include "storage/gcs_store.h"
#include "tests/sim/commands.h"
#include "tests/sim/network.h"
#include "tests/sim/world.h"
#include "worker/consumer.h"

namespace sparkles {
namespace {

// Ends the threads that the worker's code has started for a task, without further effects, when the
// task ends or crashes.
class Dismissal {
 public:
  explicit Dismissal(Scheduler& scheduler) : scheduler_(scheduler) { scheduler_.AwaitJoiner(); }
  ~Dismissal() { scheduler_.DismissJoiners(); }
  Dismissal(const Dismissal&) = delete;
  Dismissal& operator=(const Dismissal&) = delete;

 private:
  Scheduler& scheduler_;
};

// During its lifetime, signals reach the worker.
class SignalScope {
 public:
  SignalScope(Machine& machine, CancelToken& stop, CancelToken& drain) : machine_(machine) {
    machine_.stop = &stop;
    machine_.drain = &drain;
  }
  ~SignalScope() { machine_.stop = machine_.drain = nullptr; }
  SignalScope(const SignalScope&) = delete;
  SignalScope& operator=(const SignalScope&) = delete;

 private:
  Machine& machine_;
};

// Tries both ways to upload.
GcsStoreOptions StoreOptions(Scheduler& scheduler) {
  GcsStoreOptions options;
  if (scheduler.Chance(0.3)) options.upload_at_once_bytes = 100;
  return options;
}

ExecutorOptions OptionsOf(const Machine& machine) {
  ExecutorOptions options;
  options.tasks_dir = machine.directory + "/tasks";
  options.transfers = 1;  // the scheduler would not know the other threads
  options.grace = absl::Seconds(10);
  options.checkpoint.every = kSaveInterval;
  return options;
}

}  // namespace

bool RunWorker(World& world, Machine& machine) {
  CancelToken stop;
  CancelToken drain(&stop);
  const SignalScope reachable(machine, stop, drain);
  SimClock clock(world.scheduler, machine.skew);
  const auto nowhere = OpenFile("/dev/null", O_WRONLY);
  LogSink sink(clock, world.verbose ? STDERR_FILENO : nowhere->get(), LogFormat::kText,
               world.verbose ? Severity::kDebug : Severity::kError);
  const Log log(sink, ToString(machine.author()));
  SimTransport transport(world, machine);
  ApiClient storage_api({"http://storage", nullptr}, transport, clock);
  GcsClient gcs(storage_api, clock, {.max_elapsed = absl::Minutes(30)});
  GcsStore store(gcs, StoreOptions(world.scheduler));
  const ExecutorOptions options = OptionsOf(machine);
  (void)MakeDirectories(options.tasks_dir);
  RemoveStaleTaskDirectories(options.tasks_dir, Activity(stop), log);
  const auto journal = ClaimJournal::Open(options.tasks_dir, /*durable=*/false);
  ApiClient datastore_api({"http://datastore", nullptr}, transport, clock);
  DatastoreClient client(datastore_api, "demo", {.stop = &stop});
  DatastoreQueue queue({.cluster = World::kCluster,
                        .owner = Judge::OwnerOf(machine.number),
                        .monitor_address = nullptr},
                       client, clock, log, journal.value().get());
  ContentCache cache(machine.directory + "/cache", store, clock);
  SimProcessRunner runner(world, machine);
  CurrentTask task;
  Executor executor{.options = options,
                    .clock = clock,
                    .runner = runner,
                    .store = store,
                    .cache = cache,
                    .current = task,
                    .log = log};
  const bool retries_long = world.scheduler.Chance(0.7);
  const absl::Duration linger = absl::Seconds(world.scheduler.Random(world.calm() ? 20 : 60));
  Consumer consumer({.linger = linger,
                     .watch_period = absl::Seconds(15),
                     .record_max_elapsed = retries_long ? absl::Hours(6) : absl::Seconds(5),
                     .drain = &drain},
                    clock, queue, stop, log);
  const Consumer::End end =
      consumer.Run([&](const Claim& claim, const CancelToken& cancel, ConfirmClaim confirm_claim) {
        const Dismissal dismissal(world.scheduler);
        return executor.Execute(claim.task, claim.attempt, Activity(cancel), confirm_claim);
      });
  world.judge.LifeEnds(machine.author(), end, linger);
  if (end == Consumer::End::kMachineUnfit) ++world.measured["the end of an unfit machine"];
  // A worker that still holds a claim is not done.
  const bool done = end == Consumer::End::kQueueEmpty;
  // A stopped worker may lack the time to hand back its task, but has it without disturbances.
  const bool stopped = stop.cancelled();
  const bool had_time =
      drain.cancelled() &&
      World::QuietSince(machine, stopped ? machine.stopped_at : machine.drained_at);
  if (had_time) ++world.measured["a hand-back in time"];
  return done || (!stopped && retries_long) || had_time;
}

}  // namespace sparkles
