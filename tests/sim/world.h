// One simulated cluster: its servers, machines, faults and judge.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "http/transport.h"
#include "tests/sim/fault.h"
#include "tests/sim/judge.h"
#include "tests/sim/progress.h"
#include "tests/sim/scheduler.h"
#include "tests/support/fake_datastore.h"
#include "tests/support/fake_gcs.h"
#include "tests/support/temp_directory.h"

namespace sparkles {

// A machine and its worker.
struct Machine {
  int number = 0;  // from 1; also the number of its group in the scheduler
  int life = 0;    // number of the worker's life
  bool alive = false;
  bool vanished = false;
  int lost_lives = 0;           // lives up to this one left nothing, because their disk is gone
  absl::Duration skew;          // of the machine's clock
  std::string directory;        // holds tasks/ and cache/
  CancelToken* stop = nullptr;  // of the running worker, as the next one
  CancelToken* drain = nullptr;
  // Cloud Storage and Datastore are out of reach until these times.
  std::array<absl::Time, 2> away_until = {absl::InfinitePast(), absl::InfinitePast()};
  // The last fault of the network, or the last pause, lasts until this time.
  absl::Time disturbed_until = absl::InfinitePast();
  // No process can be started until this time.
  absl::Time unfit_until = absl::InfinitePast();
  // The time of the request to stop this life.
  absl::Time stopped_at = absl::InfiniteFuture();
  absl::Time drained_at = absl::InfiniteFuture();
  Author author() const { return {number, life}; }
};

class World {
 public:
  static constexpr char kCluster[] = "cluster";

  World(uint64_t seed, bool verbose);

  // Runs the cluster to its end. The judge has the broken promises.
  void Run();
  const std::vector<std::string>& broken() const { return judge.broken(); }

  // --- For the parts of the world.
  // A step of a worker at an interface: other actors may run first, and the worker may crash, stop
  // or freeze. False if this thread must have no effect any more.
  bool Step(Machine& machine, absl::string_view what);
  // True, and counted, if this fault strikes now.
  bool ShouldInject(Fault fault);
  // Marks the machine as disturbed for `lasts`.
  void Disturb(Machine& machine, absl::Duration lasts);
  // True if nothing has disturbed the machine since `time`.
  static bool QuietSince(const Machine& machine, absl::Time time);
  // Reports a broken promise if `what` was due at `since` and is late, unless the machine was
  // disturbed in that time or shortly before.
  void CheckInTime(const Machine& machine, absl::Time since, const std::string& what);
  // Whether an outage separates the machine from the service. If the outage has just begun, the
  // request may still be executed.
  enum class Reach { kUp, kAway, kBeginsToBeAway };
  Reach ReachOf(Machine& machine, bool to_datastore);
  // True if the machine cannot start processes now.
  bool IsUnfit(Machine& machine);
  // In calm weather there are no more faults.
  bool calm() const { return calm_; }
  bool over() const { return over_; }
  // Moves the directories of a dying worker away, so that its destructors cannot change them, and
  // back.
  static void HideDirectories(const Machine& machine);
  static void RestoreDirectories(const Machine& machine);
  // Executes a request of `author`.
  absl::StatusOr<HttpResponse> Serve(const Author& author, const HttpRequest& request);
  // Executes the request after `delay`.
  void ServeLater(const Author& author, const HttpRequest& request, absl::Duration delay);

  Scheduler scheduler;
  SimClock server_clock{scheduler, absl::ZeroDuration()};
  FakeDatastore datastore;
  FakeGcs gcs;
  Judge judge{gcs, server_clock, [this](const std::string& line) { scheduler.Note(line); }};
  FaultCounts faults{};
  std::vector<std::unique_ptr<Machine>> machines;
  std::map<std::string, int> jobs;  // name -> number of tasks
  // Counts undisturbed cases, in which all promises must hold, and rare ends.
  std::map<std::string, int> measured;
  Progress progress{*this};
  bool verbose;

 private:
  void ChooseRates();
  void MakeMachines();
  void RunMachine(Machine& machine);
  void RunFaultPhases();
  // May send a signal to the machine's worker.
  void MaybeSendSignal(Machine& machine);

  TempDirectory directory_ = TempDirectory::InMemory();
  std::array<double, static_cast<size_t>(Fault::kCount)> rates_{};
  bool calm_ = false;
  bool over_ = false;
  absl::Time calm_from_;

  friend class Client;
};

// Runs one life of a worker: the objects of cli/consume.cc with this world's interfaces. False if
// the life may still hold a claim, because it was stopped with little time. Throws Crash.
bool RunWorker(World& world, Machine& machine);

}  // namespace sparkles
