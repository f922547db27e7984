// The Monitor's connections, as the kernel sees them: which are open, and which take too much.
// The one hard idea: gRPC 1.51 limits the headers of each frame and not those of a call, so that
// one call can fill the memory before anybody has seen a secret (CVE-2023-33953). But a client
// sends little compared to what it is sent, and the kernel counts both.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "base/file_id.h"

namespace sparkles {

// What a client may send, in bytes of TCP. Stock clients send 1 KiB to begin with and 150 bytes a
// call, whatever its size; who reads a log as fast as can be is sent 660 times as much.
struct TrafficLimits {
  int64_t at_once = 256 << 10;
  int64_t per_second = 4 << 10;
  // The refusal of a call is up to four times as long as the call: it must not earn another.
  int64_t sent_for_each = 8;
};

// How much a connection may have sent us that has been open for `age` and has acknowledged `acked`
// bytes of ours.
int64_t AllowedBytes(const TrafficLimits& limits, absl::Duration age, int64_t acked);

// Sockets that somebody else owns and closes. Not thread-safe.
class OpenSockets {
 public:
  // `now` is the same clock's as below; it must never go back.
  void Add(int fd, absl::Duration now);
  // How many are still open.
  int CountOpen();
  // Resets those that have sent more than they may; their owner sees their end. Kernels before
  // 4.1 do not count: there nobody is cut.
  void CutGreedy(const TrafficLimits& limits, absl::Duration now);

 private:
  struct Socket {
    int fd;
    FileId id;  // a reused descriptor has another
    absl::Duration since;
  };

  std::vector<Socket> sockets_;
};

}  // namespace sparkles
