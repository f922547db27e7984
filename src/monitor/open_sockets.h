// Tracks which of the Monitor's connections are open, and resets those that send too much.
// gRPC 1.51 limits the headers of a frame, but not of a call, so that a call without the secret can
// fill the memory (CVE-2023-33953). Honest clients send far less than they receive, and the kernel
// counts both.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "base/file_id.h"

namespace sparkles {

// Limits on the TCP bytes that a client may send. Usual clients send 1 KiB at first and then 150
// bytes for each call of any size. A client that reads a log at full speed receives 660 times as
// much as it sends.
struct TrafficLimits {
  int64_t initial = 256 << 10;   // for each connection
  int64_t per_second = 4 << 10;  // for each second of its age
  // One more byte for each 8 bytes that the client has received. The refusal of a call is up
  // to four times as long as the call, so refused calls do not raise the limit by their own length.
  int64_t sent_per_received = 8;
};

// The number of bytes that a client may send on a connection that has been open for `age` and has
// acknowledged `acked` bytes of the server.
int64_t AllowedBytes(const TrafficLimits& limits, absl::Duration age, int64_t acked);

// A list of sockets that gRPC owns and closes. Not thread-safe.
class OpenSockets {
 public:
  // `now` is the time of a clock that never goes back, the same clock as below.
  void Add(int fd, absl::Duration now);
  // The number of sockets that are still open. Forgets closed ones.
  int CountOpen();
  // Resets the connections that have sent more than `limits` allows. gRPC then closes them. Does
  // nothing on kernels before 4.1, which do not count bytes.
  void ResetOverLimit(const TrafficLimits& limits, absl::Duration now);

 private:
  struct Socket {
    int fd;
    FileId id;  // differs if the descriptor's number was reused
    absl::Duration since;
  };

  std::vector<Socket> sockets_;
};

}  // namespace sparkles
