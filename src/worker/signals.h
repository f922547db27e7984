// Turns signals into requests to stop or drain. One thread receives them, without a handler.
#pragma once

#include <atomic>
#include <set>
#include <thread>

#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/log.h"

namespace sparkles {

// Ignores SIGPIPE and SIGXFSZ, so that a write to a closed connection, or beyond the limit of a
// file's size, only returns an error. Call this before any thread exists.
void IgnoreWriteSignals();

// Blocks the signals that StopSignals receives, in this thread and in the threads that it starts
// later. Ignores the signals that the C library reserves. KILL and the signals of a crash (SEGV,
// ABRT, ...) still end the process. Call this before any thread exists.
void BlockSignals();

// Signals within this time after the last request are the same request, because `timeout` and
// terminals signal a process and then its group.
inline constexpr absl::Duration kSameRequest = absl::Seconds(1);

// Receives signals from construction to destruction. SIGTERM, SIGINT, SIGUSR2 and SIGXCPU (the last
// two from SGE, PBS and `ulimit -t`) cancel `stop` (kHandBack), with the signal's name as the
// reason. A second request hurries `stop`, and a third ends the process at once. SIGUSR1 and
// SIGQUIT cancel `drain`. Ignores all other signals that would end the process by default (SIGHUP,
// SIGALRM, real-time signals, ...), and logs each of them once. Needs BlockSignals.
class StopSignals {
 public:
  // Borrows all arguments.
  StopSignals(CancelToken& stop, CancelToken& drain, LogSink& sink);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // The signal that stopped the worker, or 0 if another reason or no reason stopped it.
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
  // Used only by thread_.
  int requests_ = 0;  // number of requests to stop
  absl::Time last_request_;
  std::set<int> ignored_;
  std::thread thread_;
};

}  // namespace sparkles
