// Starts threads with a name for tools and with a role for the watchdog.
// The watchdog counts only signs of life of threads that do the work, because threads that watch,
// serve or sample continue while the work is stuck.
#pragma once

#include <functional>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/cancel.h"

namespace sparkles {

// Starts `body` on a thread with the system name `name` (cut to 15 characters). `name` must live as
// long as the thread: use a literal. The thread has the role of the caller's thread; the main
// thread does the work. An error if the system refuses the thread.
absl::StatusOr<std::thread> StartThread(const char* name, std::function<void()> body);

// The same for a housekeeping thread, which gives no signs of life. For threads that the worker
// needs: throws std::system_error if the system refuses the thread.
std::thread StartHousekeeping(const char* name, std::function<void()> body);

// A housekeeping thread that ends in its destructor. Declare it as the last member, so that it ends
// first.
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
  // Ends the thread like the destructor.
  void Stop();

 private:
  CancelToken stop_;
  absl::Status status_;
  std::thread thread_;
};

// True if this thread, or a thread that started it, was started as housekeeping.
bool OnHousekeepingThread();

}  // namespace sparkles
