// Accepts connections for the Monitor: so many at a time, so many a second.
// The one hard idea: gRPC of this age bounds neither, and each TLS connection costs memory and the
// handshake CPU before anybody has shown a secret. So connections are accepted here and handed on;
// whether one is still there is told by its descriptor: is it still the same socket?
#pragma once

#include <sys/types.h>

#include <functional>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "base/cancel.h"
#include "base/fd.h"

namespace sparkles {

struct ListenerLimits {
  int connections = 256;  // open at a time; more are closed at once
  int burst = 64;         // accepted at once,
  int per_second = 32;    // and then so many a second; the others wait in the kernel's queue
};

// Sockets that somebody else owns and closes. Used by one thread.
class OpenSockets {
 public:
  void Add(int fd);
  // How many are still open.
  int CountOpen();

 private:
  struct Socket {
    int fd;
    dev_t device;  // with `inode` the kernel's name of the socket: a reused descriptor has another
    ino_t inode;
  };
  std::vector<Socket> sockets_;
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

  const UniqueFd socket_;
  const ListenerLimits limits_;
  const std::function<void(UniqueFd)> take_;
  CancelToken stop_;
  OpenSockets sockets_;  // of the thread
  std::thread thread_;
};

}  // namespace sparkles
