// Threads with a name, for whoever looks at the process from outside, and with a role.
// The one hard idea: the watchdog believes a sign of life only of a thread that does the work. One
// that watches, serves or samples goes on for ever while the work is stuck.
#pragma once

#include <functional>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/cancel.h"

namespace sparkles {

// Starts `body` on a thread that the system calls `name` (cut to 15 characters). An error if the
// system refuses the thread. `name` must live as long as the thread: a literal.
// Its role is that of the caller's thread; the main thread does the work.
absl::StatusOr<std::thread> StartThread(const char* name, std::function<void()> body);

// The same for a thread that does not do the work: what it does is no sign of life. For threads
// that a worker cannot do without: throws std::system_error if the system refuses the thread.
std::thread StartHousekeeping(const char* name, std::function<void()> body);

// A housekeeping thread that lives as long as its object. Declare it last: it ends first.
class Housekeeper {
 public:
  // Calls `body` on a thread called `name`. The destructor cancels `stop` and waits for `body`.
  // `stop` is also cancelled with `parent`, which may be null and is borrowed.
  Housekeeper(const char* name, std::function<void(const CancelToken& stop)> body,
              const CancelToken* parent = nullptr);
  ~Housekeeper() { Stop(); }
  Housekeeper(const Housekeeper&) = delete;
  Housekeeper& operator=(const Housekeeper&) = delete;

  // An error if the system refused the thread; then `body` is never called.
  const absl::Status& status() const { return status_; }
  // What the destructor does, sooner.
  void Stop();

 private:
  CancelToken stop_;
  absl::Status status_;
  std::thread thread_;
};

// Whether this thread, or one that led to it, was started as housekeeping.
bool OnHousekeepingThread();

}  // namespace sparkles
