// Runs many threads of real code, exactly one at a time, in virtual time.
// Threads stop only at the interfaces to clock, network and processes. There the seed chooses the
// next thread, so that a run depends only on its seed. Time passes only when no thread can
// continue.
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

// Ends a worker like kill -9. Thrown at an interface on the worker's main thread.
struct Crash {};

// Actors are threads in groups. A group is like a process, and is paused or crashed as one. Only
// one scheduler may exist in a process at a time.
class Scheduler {
 public:
  // `verbose`: prints the trace during the run.
  Scheduler(uint64_t seed, bool verbose);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Adds an actor. `body` must catch Crash. Call before Run, or from an actor.
  void Spawn(int group, std::function<void()> body);
  // Blocks until all actors have ended.
  void Run();

  // --- For actors, at the interfaces. A thread that the worker's code has started joins the group
  // of the running actor at its first call.
  absl::Time Now();
  // Lets other actors run first, if the seed says so.
  void Yield();
  // False if `cancel` (may be null) ended the sleep, or the actor was dismissed.
  bool Sleep(absl::Duration duration, const CancelToken* cancel);
  // Waits until a thread that the code of this group has just started has joined.
  void AwaitJoiner();
  // Lets the threads that joined this actor's group run alone until they end. Their sleeps end at
  // once, and `Dismissed` is true for them.
  void DismissJoiners();
  // True if this thread must have no effect any more.
  bool Dismissed();

  // Stops the whole group for `duration`. Call Yield afterwards.
  void Pause(absl::Duration duration);
  bool IsPaused(int group);
  // Crashes the group: throws on its main thread, at once or when that thread runs next.
  void CrashGroup();
  // The group begins a new life.
  void Revive();

  // --- Choices of the seed for the running actor.
  uint64_t Random(uint64_t below);
  bool Chance(double probability);
  absl::Duration RandomDuration(absl::Duration longest);
  uint32_t Seed();

  // Adds a line to the trace. The line must depend only on the seed.
  void Note(absl::string_view line);
  uint64_t trace_hash() const { return trace_hash_; }

 private:
  struct Actor;
  struct Group {
    absl::Time paused_until = absl::InfinitePast();
    bool crashing = false;  // the main thread has not thrown yet
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
  int joiners_ = 0;  // joined and not yet awaited
  std::vector<std::thread> threads_;

  friend struct ThreadEnd;
};

// The clock of one group, which is wrong by `skew`.
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
