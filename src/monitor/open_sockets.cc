#include "monitor/open_sockets.h"

#include <fcntl.h>
#include <linux/tcp.h>  // glibc's own tcp_info ends before the counters
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>

#include "base/fd.h"

namespace sparkles {

namespace {

// Resets a connection and drops the bytes that have arrived. After a mere shutdown, gRPC would
// continue to read while more bytes arrive.
void Reset(int fd) {
  sockaddr unspecified{};
  unspecified.sa_family = AF_UNSPEC;
  if (connect(fd, &unspecified, sizeof unspecified) != 0) (void)shutdown(fd, SHUT_RDWR);
}

}  // namespace

int64_t AllowedBytes(const TrafficLimits& limits, absl::Duration age, int64_t acked) {
  return limits.initial + limits.per_second * absl::ToInt64Seconds(age) +
         acked / limits.sent_per_received;
}

void OpenSockets::Add(int fd, absl::Duration now) {
  if (const auto id = IdOf(fd)) sockets_.push_back({fd, *id, now});
}

int OpenSockets::CountOpen() {
  std::erase_if(sockets_, [](const Socket& socket) { return IdOf(socket.fd) != socket.id; });
  return static_cast<int>(sockets_.size());
}

void OpenSockets::ResetOverLimit(const TrafficLimits& limits, absl::Duration now) {
  for (const Socket& socket : sockets_) {
    tcp_info info{};
    socklen_t length = sizeof info;
    if (getsockopt(socket.fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) continue;
    if (length < offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
      continue;
    const int64_t acked = static_cast<int64_t>(info.tcpi_bytes_acked);
    const int64_t received = static_cast<int64_t>(info.tcpi_bytes_received);
    if (received <= AllowedBytes(limits, now - socket.since, acked)) continue;
    // The owner may have closed the descriptor, and its number may already be reused. Therefore
    // duplicate it, and check the duplicate.
    const UniqueFd held(fcntl(socket.fd, F_DUPFD_CLOEXEC, 0));
    if (held.valid() && IdOf(held.get()) == socket.id) Reset(held.get());
  }
}

}  // namespace sparkles
