// One simulated cluster: its servers, its machines, what goes wrong there, and its judge.
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
#include "tests/sim/scheduler.h"
#include "tests/support/fake_datastore.h"
#include "tests/support/fake_gcs.h"
#include "tests/support/temp_folder.h"

namespace sparkles {

// A machine and the worker on it.
struct Machine {
  int number = 0;  // from 1; its group in the scheduler
  int life = 0;    // of its worker
  bool alive = false;
  bool vanished = false;
  int lost_lives = 0;           // those up to this one have left nothing: their disk is gone
  absl::Duration skew;          // of its clock
  std::string folder;           // holds tasks/ and cache/
  CancelToken* stop = nullptr;  // of the worker that runs, and so is
  CancelToken* drain = nullptr;
  // Until when Cloud Storage and Datastore are out of its reach.
  std::array<absl::Time, 2> away_until = {absl::InfinitePast(), absl::InfinitePast()};
  // Until when the last fault of its network, or the last pause, has lasted.
  absl::Time disturbed_until = absl::InfinitePast();
  // Until when no process can be started.
  absl::Time unfit_until = absl::InfinitePast();
  // When this life was told to go.
  absl::Time stopped_at = absl::InfiniteFuture();
  absl::Time drained_at = absl::InfiniteFuture();
  Author author() const { return {number, life}; }
};

class World {
 public:
  static constexpr char kCluster[] = "cluster";

  World(uint64_t seed, bool verbose);

  // Runs it to its end. What was broken, with the judge.
  void Run();
  const std::vector<std::string>& broken() const { return judge.broken(); }

  // --- For the parts of the world.
  // Every step of a worker at a seam: others may go first, and the worker may crash, stop or freeze
  // here. False if this thread must have no more effect.
  bool Step(Machine& machine, absl::string_view what);
  // Whether this fault happens now; counted.
  bool Strikes(Fault fault);
  // What has struck disturbs the machine for so long.
  void Disturb(Machine& machine, absl::Duration lasts);
  // Whether nothing has disturbed the machine from `time` on.
  static bool QuietSince(const Machine& machine, absl::Time time);
  // That `what` was due from `since` on, and is over only now, breaks a promise, unless something
  // has disturbed the machine meanwhile or shortly before.
  void CheckPrompt(const Machine& machine, absl::Time since, const std::string& what);
  // Whether an outage keeps the machine from the service now, or begins: what was asked for then
  // may be carried out yet.
  enum class Reach { kUp, kAway, kBeginsToBeAway };
  Reach ReachOf(Machine& machine, bool to_datastore);
  // Whether the machine can start no process now.
  bool IsUnfit(Machine& machine);
  // In calm weather nothing more goes wrong.
  bool calm() const { return calm_; }
  bool over() const { return over_; }
  // Moves the folders of a worker that dies out of reach of its destructors, and back.
  static void HideFolders(const Machine& machine);
  static void RestoreFolders(const Machine& machine);
  // The server carries out a request of `author`.
  absl::StatusOr<HttpResponse> Serve(const Author& author, const HttpRequest& request);
  // The same, but so much later.
  void ServeLater(const Author& author, const HttpRequest& request, absl::Duration delay);

  Scheduler scheduler;
  SimClock server_clock{scheduler, absl::ZeroDuration()};
  FakeDatastore datastore;
  FakeGcs gcs;
  Judge judge{gcs, server_clock, [this](const std::string& line) { scheduler.Note(line); }};
  FaultCounts faults{};
  std::vector<std::unique_ptr<Machine>> machines;
  std::map<std::string, int> jobs;  // name -> number of tasks
  // How often there was no excuse: promises that are kept in quiet times only. And rare ends.
  std::map<std::string, int> measured;
  bool verbose;

 private:
  void ChooseRates();
  void MakeMachines();
  void RunMachine(Machine& machine);
  void RunWeather();
  // Whoever may ask a worker to go does so, perhaps.
  void SignalPerhaps(Machine& machine);

  TempFolder folder_ = TempFolder::InMemory();
  std::array<double, static_cast<size_t>(Fault::kCount)> rates_{};
  bool calm_ = false;
  bool over_ = false;
  absl::Time calm_from_;

  friend class Client;
};

// One life of a worker: the objects of cli/consume.cc over this world's seams. False if it may hold
// a claim yet: it was told to go, and had little patience. Throws Crash.
bool RunWorker(World& world, Machine& machine);

}  // namespace sparkles
