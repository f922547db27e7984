// Accepts connections for the Monitor: so many at a time, so many a second; and ends those whose
// client sends too much.
// The one hard idea: gRPC of this age bounds neither, and each TLS connection costs memory and the
// handshake CPU before anybody has shown a secret. So connections are accepted here and handed on;
// what becomes of each is asked of the kernel (open_sockets.h).
#pragma once

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "base/cancel.h"
#include "base/fd.h"
#include "base/mutex.h"
#include "monitor/open_sockets.h"

namespace sparkles {

struct ListenerLimits {
  int connections = 256;  // open at a time; more are closed at once
  int burst = 64;         // accepted at once,
  int per_second = 32;    // and then so many a second; the others wait in the kernel's queue
  TrafficLimits traffic = {};
};

// A socket that listens on `port` (0: one that the kernel picks) of all addresses, IPv6 and IPv4
// where the machine has both.
absl::StatusOr<UniqueFd> ListenOn(int port);
// The port that a socket listens on; 0 if it does not.
int PortOf(int fd);

class Listener {
 public:
  // Accepts on a thread of its own until it is destroyed, and gives each connection (non-blocking,
  // close-on-exec) to `take`, which owns it then. May throw std::system_error: no thread.
  Listener(UniqueFd socket, ListenerLimits limits, std::function<void(UniqueFd)> take);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

 private:
  void Run();
  void WaitForConnection();
  // False if there was none.
  bool AcceptOne();
  void Guard();
  void End();

  const UniqueFd socket_;
  const ListenerLimits limits_;
  const std::function<void(UniqueFd)> take_;
  CancelToken stop_;
  Mutex mutex_;
  CondVar changed_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  OpenSockets sockets_ ABSL_GUARDED_BY(mutex_);
  // Cuts who sends too much. Not the acceptor's work: gRPC serves a new connection on the thread
  // that hands it over as long as that has more to read.
  std::thread guard_;
  std::thread acceptor_;
};

}  // namespace sparkles
