// Accepts the Monitor's connections, limits their number and rate, and resets excessive ones.
// gRPC 1.51 has no such limits, and a TLS connection costs memory and CPU before the client has
// sent a secret. Therefore this class accepts connections and passes them to gRPC. The kernel tells
// which are still open (open_sockets.h).
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
  int connections = 256;  // open at the same time; further ones are closed at once
  int burst = 64;         // accepted without a wait
  int per_second = 32;    // accepted after a burst; further ones wait in the kernel
  TrafficLimits traffic = {};
};

// A socket that listens on `port` of all addresses, IPv6 and IPv4 if the machine has both. Port 0
// selects a free port.
absl::StatusOr<UniqueFd> ListenOn(int port);
// The port of a listening socket, or 0 after an error.
int PortOf(int fd);

class Listener {
 public:
  // Accepts on its own thread until it is destroyed. Passes each connection (non-blocking,
  // close-on-exec) to `on_connection`, which takes ownership. Throws std::system_error if the
  // system refuses a thread.
  Listener(UniqueFd socket, ListenerLimits limits, std::function<void(UniqueFd)> on_connection);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

 private:
  void AcceptLoop();
  void WaitForConnection();
  // False if no connection could be accepted.
  bool AcceptOne();
  void ResetLoop();
  void End();

  const UniqueFd socket_;
  const ListenerLimits limits_;
  const std::function<void(UniqueFd)> on_connection_;
  CancelToken stop_;
  Mutex mutex_;
  CondVar changed_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  OpenSockets sockets_ ABSL_GUARDED_BY(mutex_);
  // Resets clients that send too much. The acceptor cannot do this, because gRPC serves a new
  // connection on the acceptor's thread while there is more to read.
  std::thread reset_thread_;
  std::thread acceptor_;
};

}  // namespace sparkles
