#include "tests/sim/world.h"

#include <stdio.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/json.h"
#include "gcp/entity.h"
#include "queue/task_entity.h"
#include "tests/sim/client.h"
#include "tests/sim/leftovers.h"

namespace sparkles {
namespace {

// The group of all actors that are not machines: clients, weather, packets on their way.
constexpr int kOutside = 0;
// The time for which a worker retries before it sleeps.
constexpr absl::Duration kShortOutage = absl::Seconds(30);
// The limit of everything that a worker must do at once (docs/wire-entities.md).
constexpr absl::Duration kMaxReaction = absl::Seconds(20);
// The time in which a past fault may still have an effect: the longest wait before a retry. In a
// worker that stops, other limits run in real time (base/delayed_cancel), which is not simulated.
constexpr absl::Duration kMaxFaultEffect = absl::Seconds(35);

// The longest time between two checks for signals.
constexpr absl::Duration kMaxSignalInterval = absl::Seconds(10);

bool IsOfMachine(Fault fault) {
  return fault == Fault::kCrash || fault == Fault::kVanish || fault == Fault::kPause ||
         fault == Fault::kTerm || fault == Fault::kDrain || fault == Fault::kOutage;
}

}  // namespace

World::World(uint64_t seed, bool is_verbose) : scheduler(seed, is_verbose), verbose(is_verbose) {
  datastore.SetOnChange([this](const EntityKey& key, const Json& before, const Json& after,
                               bool by_worker) { judge.Changed(key, before, after, by_worker); });
  gcs.SetOnStore(
      [this](const std::string& key, int64_t generation) { judge.Stored(key, generation); });
}

// Each seed has its own weather: most kinds of fault are absent, and the others differ much in
// frequency. If everything failed at once, few runs would get far.
void World::ChooseRates() {
  for (size_t i = 0; i < rates_.size(); ++i) {
    const uint64_t dice = scheduler.Random(100);
    if (dice < 55) continue;
    const double most = IsOfMachine(static_cast<Fault>(i)) ? 0.03 : 0.3;
    rates_[i] = most * std::pow(10, -static_cast<double>(scheduler.Random(200)) / 100);
  }
  rates_[static_cast<size_t>(Fault::kForbidden)] /= 10;
  calm_from_ = scheduler.Now() + absl::Minutes(1 + scheduler.Random(20));
}

void World::MakeMachines() {
  const uint64_t count = 1 + scheduler.Random(3);
  const bool skewed = scheduler.Chance(0.3);
  for (uint64_t i = 1; i <= count; ++i) {
    auto machine = std::make_unique<Machine>();
    machine->number = static_cast<int>(i);
    machine->directory = directory_ / absl::StrCat("w", i);
    if (skewed) machine->skew = scheduler.RandomDuration(absl::Minutes(10)) - absl::Minutes(5);
    machines.push_back(std::move(machine));
  }
}

void World::Run() {
  // The first actor creates the others, because the order of choices before Run is not fixed.
  scheduler.Spawn(kOutside, [this] {
    ChooseRates();
    MakeMachines();
    Client client(*this);
    client.Submit();
    for (const auto& machine : machines) {
      scheduler.Spawn(machine->number, [this, &machine] { RunMachine(*machine); });
    }
    scheduler.Spawn(kOutside, [this] { RunFaultPhases(); });
    client.Run();
    over_ = true;
  });
  scheduler.Run();
  judge.CheckCompleteTasks();
}

// Signals can come at any time, also while a worker waits and nothing else happens on its machine.
void World::RunFaultPhases() {
  while (scheduler.Now() < calm_from_) {
    const absl::Duration rest = calm_from_ - scheduler.Now();
    scheduler.Sleep(std::min(rest, scheduler.RandomDuration(kMaxSignalInterval)), nullptr);
    for (const auto& machine : machines) MaybeSendSignal(*machine);
  }
  calm_ = true;
  scheduler.Note("calm");
}

void World::RunMachine(Machine& machine) {
  // The last life removes the leftovers of earlier lives.
  for (bool quiet = false; !over_ || !quiet;) {
    scheduler.Sleep(scheduler.RandomDuration(absl::Minutes(2)), nullptr);
    ++machine.life;
    quiet = calm_;
    machine.alive = true;
    machine.stopped_at = machine.drained_at = absl::InfiniteFuture();
    // Of the faults of an earlier life, only an outage continues.
    machine.disturbed_until = std::max(machine.away_until[0], machine.away_until[1]);
    scheduler.Revive();
    scheduler.Note(absl::StrCat(ToString(machine.author()), " begins"));
    judge.LifeBegins(machine.author());
    try {
      if (RunWorker(*this, machine)) judge.CheckHoldsNothing(machine.author());
      CheckInTime(machine, machine.stopped_at, "the end of a life that was stopped");
      scheduler.Yield();  // a crash that its other threads have decided on
      scheduler.Note(absl::StrCat(ToString(machine.author()), " ends"));
    } catch (const Crash&) {
      scheduler.Revive();
      RestoreDirectories(machine);
      scheduler.Note(absl::StrCat(ToString(machine.author()), " has crashed"));
    }
    machine.alive = false;
    if (!machine.vanished) continue;
    // The first machine is always replaced, so that one machine completes the work.
    if (machine.number != 1) return;
    machine.vanished = false;
    machine.lost_lives = machine.life;
    machine.unfit_until = absl::InfinitePast();
    (void)RemoveTree(machine.directory);
  }
  for (const std::string& path :
       UnexpectedFiles(machine.directory, judge.MayHaveKeptDirectories(machine.number))) {
    judge.Break(absl::StrCat("w", machine.number, " has left behind ", path));
  }
}

bool World::ShouldInject(Fault fault) {
  if (calm_) return false;
  const auto index = static_cast<size_t>(fault);
  if (rates_[index] == 0 || !scheduler.Chance(rates_[index])) return false;
  ++faults[index];
  scheduler.Note(absl::StrCat("fault: ", NameOf(fault)));
  return true;
}

void World::Disturb(Machine& machine, absl::Duration lasts) {
  machine.disturbed_until = std::max(machine.disturbed_until, scheduler.Now() + lasts);
}

// Many events have the same time, so both orders of events at `time` count.
bool World::QuietSince(const Machine& machine, absl::Time time) {
  return machine.disturbed_until < time;
}

void World::CheckInTime(const Machine& machine, absl::Time since, const std::string& what) {
  const absl::Duration took = scheduler.Now() - since;
  if (took < absl::ZeroDuration() || !QuietSince(machine, since - kMaxFaultEffect)) return;
  ++measured[what];
  if (took <= kMaxReaction) return;
  judge.Break(absl::StrCat(ToString(machine.author()), ": ", what, " took ",
                           absl::FormatDuration(took), ", and nothing was in its way"));
}

World::Reach World::ReachOf(Machine& machine, bool to_datastore) {
  if (calm_) return Reach::kUp;
  absl::Time& until = machine.away_until[to_datastore ? 1 : 0];
  if (scheduler.Now() < until) return Reach::kAway;
  if (!ShouldInject(Fault::kOutage)) return Reach::kUp;
  const bool long_one = scheduler.Chance(0.5);
  const absl::Duration lasts =
      scheduler.RandomDuration(long_one ? absl::Minutes(15) : kShortOutage);
  until = scheduler.Now() + lasts;
  Disturb(machine, lasts);
  return Reach::kBeginsToBeAway;
}

bool World::IsUnfit(Machine& machine) {
  if (calm_) return false;
  if (scheduler.Now() < machine.unfit_until) return true;
  if (!ShouldInject(Fault::kMachine)) return false;
  // Some outages last until the worker gives up.
  const bool long_one = scheduler.Chance(0.3);
  if (long_one) machine.unfit_until = scheduler.Now() + scheduler.RandomDuration(absl::Minutes(5));
  return true;
}

bool World::Step(Machine& machine, absl::string_view what) {
  if (scheduler.Dismissed()) return false;
  scheduler.Yield();
  if (scheduler.Dismissed()) return false;
  scheduler.Note(absl::StrCat(ToString(machine.author()), " ", what));
  const bool vanishes = ShouldInject(Fault::kVanish);
  if (vanishes || ShouldInject(Fault::kCrash)) {
    machine.vanished = vanishes;
    HideDirectories(machine);
    scheduler.CrashGroup();
    return false;
  }
  MaybeSendSignal(machine);
  if (ShouldInject(Fault::kPause)) {
    const bool long_one = scheduler.Chance(0.5);
    const absl::Duration pause =
        scheduler.RandomDuration(long_one ? absl::Hours(1) : absl::Seconds(40));
    Disturb(machine, pause);
    scheduler.Pause(pause);
    scheduler.Yield();
  }
  return !scheduler.Dismissed();
}

void World::MaybeSendSignal(Machine& machine) {
  if (machine.stop != nullptr && ShouldInject(Fault::kTerm)) {
    machine.stopped_at = std::min(machine.stopped_at, scheduler.Now());
    judge.StopRequested(machine.author(), "SIGTERM", /*at_once=*/true);
    machine.stop->Cancel(CancelKind::kHandBack, "SIGTERM");
  }
  if (machine.stop != nullptr && machine.stop->cancelled() && ShouldInject(Fault::kHurry)) {
    machine.stop->Hurry();
  }
  if (machine.drain != nullptr && ShouldInject(Fault::kDrain)) {
    machine.drained_at = std::min(machine.drained_at, scheduler.Now());
    judge.StopRequested(machine.author(), "SIGUSR1", /*at_once=*/false);
    machine.drain->Cancel(CancelKind::kAbort, "SIGUSR1");
  }
}

void World::HideDirectories(const Machine& machine) {
  (void)rename(machine.directory.c_str(), absl::StrCat(machine.directory, ".hidden").c_str());
}

void World::RestoreDirectories(const Machine& machine) {
  (void)RemoveTree(machine.directory);
  (void)rename(absl::StrCat(machine.directory, ".hidden").c_str(), machine.directory.c_str());
}

absl::StatusOr<HttpResponse> World::Serve(const Author& author, const HttpRequest& request) {
  judge.SetAuthor(author);
  if (absl::EndsWith(request.url, ":lookup")) {
    const Json body = ParseJson(request.body).value();
    for (const Json& json : body["keys"]) {
      const auto key = ParseEntityKey(json);
      if (key && key->kind == kTaskKind) judge.LookedUp(author, key->name);
    }
  }
  if (absl::StartsWith(request.url, "http://datastore")) return datastore.Send(request);
  absl::StatusOr<HttpResponse> response = gcs.Send(request);
  if (request.method != "GET") progress.CheckCheckpoints();
  return response;
}

void World::ServeLater(const Author& author, const HttpRequest& request, absl::Duration delay) {
  HttpRequest copy = request;
  copy.cancel = nullptr;
  copy.on_body = nullptr;
  copy.on_progress = nullptr;
  scheduler.Spawn(kOutside, [this, author, copy, delay] {
    scheduler.Sleep(delay, nullptr);
    scheduler.Note(absl::StrCat("late: a request of ", ToString(author)));
    (void)Serve(author, copy);
  });
}

}  // namespace sparkles
