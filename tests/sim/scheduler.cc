#include "tests/sim/scheduler.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>

#include "absl/strings/str_cat.h"
#include "base/random.h"

namespace sparkles {

struct Scheduler::Actor {
  int group = 0;
  Group* state = nullptr;  // the state of its group
  bool main = false;       // started by Spawn, not by code of the worker
  bool dismissed = false;
  absl::Time wake = absl::InfinitePast();
  const CancelToken* cancel = nullptr;
  std::condition_variable baton;
};

namespace {

// Earlier than the machine's own time, so that files always look newer than "now". The age of files
// must not depend on the day of the test.
const absl::Time kStart = absl::FromUnixSeconds(1'600'000'000);
// Actors go on without asking for others in some of their steps: that makes long stretches of one
// worker as likely as tight races.
constexpr uint64_t kStayOn = 2;  // of 4

std::atomic<Scheduler*> current = nullptr;

uint32_t SeedFromCurrent() { return current.load()->Seed(); }

}  // namespace

// Removes an actor from the list when its thread ends. The worker's code may have started the
// thread.
struct ThreadEnd {
  Scheduler* scheduler = nullptr;
  void* actor = nullptr;
  ~ThreadEnd() {
    if (actor != nullptr) scheduler->Leave(*static_cast<Scheduler::Actor*>(actor));
  }
};

namespace {
thread_local ThreadEnd this_thread;
}  // namespace

Scheduler::Scheduler(uint64_t seed, bool verbose) : random_(seed), verbose_(verbose), now_(kStart) {
  current = this;
  SetSeedSource(SeedFromCurrent);
}

Scheduler::~Scheduler() {
  SetSeedSource(nullptr);
  current = nullptr;
}

void Scheduler::Spawn(int group, std::function<void()> body) {
  std::unique_lock<std::mutex> lock(mutex_);
  actors_.push_back(std::make_unique<Actor>());
  Actor* const actor = actors_.back().get();
  actor->group = group;
  actor->state = &groups_[group];
  actor->main = true;
  threads_.emplace_back([this, actor, body = std::move(body)] {
    this_thread.scheduler = this;
    this_thread.actor = actor;
    {
      std::unique_lock<std::mutex> own(mutex_);
      while (running_ != actor) actor->baton.wait(own);
    }
    body();
  });
}

void Scheduler::Run() {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    running_ = PickNext();
    if (running_ != nullptr) running_->baton.notify_one();
    while (!actors_.empty()) all_gone_.wait(lock);
  }
  for (std::thread& thread : threads_) thread.join();
}

Scheduler::Actor& Scheduler::Self(std::unique_lock<std::mutex>& lock) {
  if (this_thread.actor == nullptr) {
    actors_.push_back(std::make_unique<Actor>());
    Actor* const actor = actors_.back().get();
    this_thread.scheduler = this;
    this_thread.actor = actor;
    actor->group = running_->group;
    actor->state = running_->state;
    ++joiners_;
    joined_.notify_all();
    while (running_ != actor && !actor->dismissed) actor->baton.wait(lock);
  }
  return *static_cast<Actor*>(this_thread.actor);
}

absl::Time Scheduler::WakeTime(const Actor& actor) {
  const Group& group = *actor.state;
  const bool at_once =
      (actor.main && group.crashing) || (actor.cancel != nullptr && actor.cancel->cancelled());
  return std::max(at_once ? absl::InfinitePast() : actor.wake, group.paused_until);
}

bool Scheduler::CanRun(const Actor& actor) { return WakeTime(actor) <= now_; }

Scheduler::Actor* Scheduler::PickNext() {
  std::vector<Actor*> ready;
  absl::Time earliest = absl::InfiniteFuture();
  for (const auto& actor : actors_) {
    if (actor->dismissed) continue;
    if (CanRun(*actor)) ready.push_back(actor.get());
    earliest = std::min(earliest, WakeTime(*actor));
  }
  if (ready.empty() && earliest < absl::InfiniteFuture()) {
    now_ = earliest;
    for (const auto& actor : actors_) {
      if (!actor->dismissed && CanRun(*actor)) ready.push_back(actor.get());
    }
  }
  if (ready.empty()) return nullptr;
  return ready[random_() % ready.size()];
}

void Scheduler::PassOn(Actor& self, std::unique_lock<std::mutex>& lock) {
  Actor* const next = PickNext();
  running_ = next;
  if (next != nullptr && next != &self) next->baton.notify_one();
  while (running_ != &self && !self.dismissed) self.baton.wait(lock);
}

void Scheduler::Leave(Actor& self) {
  std::unique_lock<std::mutex> lock(mutex_);
  const bool was_running = running_ == &self;
  std::erase_if(actors_, [&](const auto& actor) { return actor.get() == &self; });
  if (was_running) {
    running_ = PickNext();
    if (running_ != nullptr) running_->baton.notify_one();
  }
  if (actors_.empty()) all_gone_.notify_all();
}

void Scheduler::ThrowIfCrashing(Actor& self) {
  Group& group = groups_[self.group];
  if (!self.main || !group.crashing || std::uncaught_exceptions() > 0) return;
  group.crashing = false;
  // Its main thread waits for them while the stack is unwound.
  for (const auto& actor : actors_) {
    if (actor->group != self.group || actor->main) continue;
    actor->dismissed = true;
    actor->baton.notify_one();
  }
  throw Crash();
}

absl::Time Scheduler::Now() {
  std::unique_lock<std::mutex> lock(mutex_);
  return now_;
}

void Scheduler::Yield() {
  std::unique_lock<std::mutex> lock(mutex_);
  Actor& self = Self(lock);
  if (self.dismissed) return;
  self.wake = absl::InfinitePast();
  self.cancel = nullptr;
  if (!CanRun(self) || random_() % 4 >= kStayOn) PassOn(self, lock);
  ThrowIfCrashing(self);
}

bool Scheduler::Sleep(absl::Duration duration, const CancelToken* cancel) {
  std::unique_lock<std::mutex> lock(mutex_);
  Actor& self = Self(lock);
  const bool over =
      self.dismissed || groups_[self.group].crashed || (cancel != nullptr && cancel->cancelled());
  if (!over) {
    self.wake = now_ + duration;
    self.cancel = cancel;
    PassOn(self, lock);
    self.cancel = nullptr;
  }
  ThrowIfCrashing(self);
  if (over || self.dismissed || groups_[self.group].crashed) return false;
  return cancel == nullptr || !cancel->cancelled();
}

void Scheduler::AwaitJoiner() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (joiners_ == 0) joined_.wait(lock);
  --joiners_;
}

void Scheduler::DismissJoiners() {
  std::unique_lock<std::mutex> lock(mutex_);
  const int group = Self(lock).group;
  for (const auto& actor : actors_) {
    if (actor->group != group || actor->main) continue;
    actor->dismissed = true;
    actor->baton.notify_one();
  }
}

bool Scheduler::Dismissed() {
  std::unique_lock<std::mutex> lock(mutex_);
  const Actor& self = Self(lock);
  return self.dismissed || groups_[self.group].crashed;
}

void Scheduler::Pause(absl::Duration duration) {
  std::unique_lock<std::mutex> lock(mutex_);
  groups_[Self(lock).group].paused_until = now_ + duration;
}

bool Scheduler::IsPaused(int group) {
  std::unique_lock<std::mutex> lock(mutex_);
  return groups_[group].paused_until > now_;
}

void Scheduler::CrashGroup() {
  std::unique_lock<std::mutex> lock(mutex_);
  Actor& self = Self(lock);
  Group& group = groups_[self.group];
  group.crashed = group.crashing = true;
  ThrowIfCrashing(self);
}

void Scheduler::Revive() {
  std::unique_lock<std::mutex> lock(mutex_);
  groups_[Self(lock).group] = {};
}

uint64_t Scheduler::Random(uint64_t below) {
  std::unique_lock<std::mutex> lock(mutex_);
  return random_() % below;
}

bool Scheduler::Chance(double probability) {
  return static_cast<double>(Random(1'000'000)) < probability * 1e6;
}

absl::Duration Scheduler::RandomDuration(absl::Duration longest) {
  return longest * (static_cast<double>(Random(1'000'000)) / 1e6);
}

uint32_t Scheduler::Seed() {
  std::unique_lock<std::mutex> lock(mutex_);
  if (Self(lock).dismissed) return 0;
  return static_cast<uint32_t>(random_());
}

void Scheduler::Note(absl::string_view line) {
  std::unique_lock<std::mutex> lock(mutex_);
  const std::string text =
      absl::StrCat(absl::ToUnixMicros(now_) - absl::ToUnixMicros(kStart), " ", line);
  for (const char c : text)
    trace_hash_ = (trace_hash_ ^ static_cast<unsigned char>(c)) * 1099511628211u;
  if (verbose_) fprintf(stderr, "%s\n", text.c_str());
}

}  // namespace sparkles
