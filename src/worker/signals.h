// Signals as a request to stop: one thread receives them all, nothing runs in a handler.
#pragma once

#include <atomic>
#include <thread>

#include "base/cancel.h"

namespace sparkles {

// Writing to what the other side has closed, or beyond the limit for a file's size, is an error of
// that write only, not the end of the process (SIGPIPE, SIGXFSZ). Call before any thread exists.
void IgnoreWriteSignals();

// Blocks the signals that StopSignals receives, in this thread and all that it starts later. Call
// before any thread exists.
void BlockSignals();

// From construction to destruction, SIGTERM and SIGINT cancel `stop` (kHandBack), with the signal's
// name as the reason. SIGHUP does no harm. Needs BlockSignals.
class StopSignals {
 public:
  explicit StopSignals(CancelToken& stop);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // The first signal that asked to stop; 0 if none did.
  int received() const { return received_; }

 private:
  void Receive();

  CancelToken& stop_;
  CancelToken done_;
  std::atomic<int> received_ = 0;
  std::thread thread_;
};

}  // namespace sparkles
