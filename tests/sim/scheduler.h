// Many threads of real code, of which exactly one runs at a time, in virtual time.
// The one hard idea: threads only stop at the seams (a clock, a network, a process). There each
// hands the baton to whom the seed says, so that a run is a function of its seed, and time passes
// only when nobody can go on.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/clock.h"

namespace sparkles {

// Ends a worker as kill -9 does: thrown at a seam, on the worker's main thread.
struct Crash {};

// Actors are threads in groups; a group is a process, which can be paused and crashed as one. One
// scheduler at a time may exist in a process.
class Scheduler {
 public:
  // `verbose`: the trace is printed as it is made.
  Scheduler(uint64_t seed, bool verbose);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Adds an actor whose Crash is caught by `body` itself. From outside before Run, or by an actor.
  void Spawn(int group, std::function<void()> body);
  // Blocks until all actors have ended.
  void Run();

  // --- By actors, at the seams. A thread unknown so far (one that real code has started) joins the
  // group of the actor that runs.
  absl::Time Now();
  // Lets others go first, perhaps.
  void Yield();
  // False if `cancel` (may be null) ended it, or the actor was dismissed.
  bool Sleep(absl::Duration duration, const CancelToken* cancel);
  // Waits until one more thread, which real code of this group has just started, has joined.
  void AwaitJoiner();
  // Threads that joined the group of this actor run on alone, to their end: their sleeps are over,
  // and they are told of it by `Dismissed`.
  void DismissJoiners();
  // True if this thread must have no more effect.
  bool Dismissed();

  // The whole group stands still for so long. Call Yield after it.
  void Pause(absl::Duration duration);
  bool IsPaused(int group);
  // Crashes the group: throws on its main thread, at once or when that gets the baton.
  void CrashGroup();
  // The group begins a new life.
  void Revive();

  // --- The seed's choices, for the actor that runs.
  uint64_t Random(uint64_t below);
  bool Chance(double probability);
  absl::Duration RandomDuration(absl::Duration longest);
  uint32_t Seed();

  // One line of the trace; whatever is in it must be a function of the seed.
  void Note(absl::string_view line);
  uint64_t trace_hash() const { return trace_hash_; }

 private:
  struct Actor;
  struct Group {
    absl::Time paused_until = absl::InfinitePast();
    bool crashing = false;  // the main thread is still to throw
    bool crashed = false;
  };

  Actor& Self(std::unique_lock<std::mutex>& lock);
  bool CanRun(const Actor& actor);
  absl::Time WakeTime(const Actor& actor);
  Actor* PickNext();
  void PassOn(Actor& self, std::unique_lock<std::mutex>& lock);
  void Leave(Actor& self);
  void ThrowIfCrashing(Actor& self);

  std::mutex mutex_;
  std::condition_variable all_gone_;
  std::condition_variable joined_;
  std::mt19937_64 random_;
  const bool verbose_;
  absl::Time now_;
  uint64_t trace_hash_ = 14695981039346656037u;
  std::list<std::unique_ptr<Actor>> actors_;
  std::map<int, Group> groups_;
  Actor* running_ = nullptr;
  int joiners_ = 0;  // joined, and not yet awaited
  std::vector<std::thread> threads_;

  friend struct ThreadEnd;
};

// The clock of one group, which may go wrong by `skew`.
class SimClock : public Clock {
 public:
  SimClock(Scheduler& scheduler, absl::Duration skew) : scheduler_(scheduler), skew_(skew) {}
  absl::Time Now() override { return scheduler_.Now() + skew_; }
  bool Sleep(absl::Duration duration, const CancelToken& cancel) override {
    return scheduler_.Sleep(duration, &cancel);
  }

 private:
  Scheduler& scheduler_;
  const absl::Duration skew_;
};

}  // namespace sparkles
