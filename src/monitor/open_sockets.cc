#include "monitor/open_sockets.h"

#include <fcntl.h>
#include <linux/tcp.h>  // glibc's own tcp_info ends before the counters
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>

#include "base/fd.h"

namespace sparkles {

namespace {

// What has arrived goes too: after a shutdown it is still read, as long as more comes in time.
void Reset(int fd) {
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  if (connect(fd, &nobody, sizeof nobody) != 0) (void)shutdown(fd, SHUT_RDWR);
}

}  // namespace

int64_t AllowedBytes(const TrafficLimits& limits, absl::Duration age, int64_t acked) {
  return limits.at_once + limits.per_second * absl::ToInt64Seconds(age) +
         acked / limits.sent_for_each;
}

void OpenSockets::Add(int fd, absl::Duration now) {
  if (const auto id = IdOf(fd)) sockets_.push_back({fd, *id, now});
}

int OpenSockets::CountOpen() {
  std::erase_if(sockets_, [](const Socket& socket) { return IdOf(socket.fd) != socket.id; });
  return static_cast<int>(sockets_.size());
}

void OpenSockets::CutGreedy(const TrafficLimits& limits, absl::Duration now) {
  for (const Socket& socket : sockets_) {
    tcp_info info{};
    socklen_t length = sizeof info;
    if (getsockopt(socket.fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) continue;
    if (length < offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
      continue;
    const int64_t acked = static_cast<int64_t>(info.tcpi_bytes_acked);
    const int64_t received = static_cast<int64_t>(info.tcpi_bytes_received);
    if (received <= AllowedBytes(limits, now - socket.since, acked)) continue;
    // Its owner may close it meanwhile, and the number be another's: held, and looked at again.
    const UniqueFd held(fcntl(socket.fd, F_DUPFD_CLOEXEC, 0));
    if (held.valid() && IdOf(held.get()) == socket.id) Reset(held.get());
  }
}

}  // namespace sparkles
