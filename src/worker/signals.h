// Signals as a request to stop: one thread receives them all, nothing runs in a handler.
#pragma once

#include <atomic>
#include <set>
#include <thread>

#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/log.h"

namespace sparkles {

// Writing to what the other side has closed, or beyond the limit for a file's size, is an error of
// that write only, not the end of the process (SIGPIPE, SIGXFSZ). Call before any thread exists.
void IgnoreWriteSignals();

// Blocks the signals that StopSignals receives, in this thread and all that it starts later, and
// ignores those that the C library keeps for itself. KILL and the signals of a bug (SEGV, ABRT,
// ...) still end the process. Call before any thread exists.
void BlockSignals();

// Signals that follow the first within this time are the same request: `timeout` and terminals
// signal a process and then its group.
inline constexpr absl::Duration kSameRequest = absl::Seconds(1);

// From construction to destruction. SIGTERM, SIGINT, SIGUSR2 and SIGXCPU (the latter two from SGE,
// PBS and `ulimit -t`) cancel `stop` (kHandBack), with the signal's name as the reason; a second
// one hurries it, and a third ends the process at once. SIGUSR1 and SIGQUIT cancel `drain`. Ignores
// all others that would end the process by default (SIGHUP, SIGALRM, real-time signals, ...), and
// logs each once. Needs BlockSignals.
class StopSignals {
 public:
  // Borrows all.
  StopSignals(CancelToken& stop, CancelToken& drain, LogSink& sink);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // The signal that stopped the worker; 0 if none did, or something else was first.
  int received() const { return received_; }

 private:
  void Receive();
  void HandleStop(int signal, const char* name);
  void Ignore(int signal);

  CancelToken& stop_;
  CancelToken& drain_;
  LogSink& sink_;
  CancelToken done_;
  std::atomic<int> received_ = 0;
  // Used by thread_ only.
  int requests_ = 0;  // to stop
  absl::Time last_request_;
  std::set<int> ignored_;
  std::thread thread_;
};

}  // namespace sparkles
