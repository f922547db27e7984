#include "doctor/tcp_connect.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "base/fd.h"
#include "base/status.h"
#include "process/monotonic.h"

namespace sparkles {
namespace {

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t length = 0;  // 0: not an address
};

SocketAddress ParseAddress(const std::string& ip, int port) {
  SocketAddress address;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, ip.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<uint16_t>(port));
    address.length = sizeof *v4;
  } else if (inet_pton(AF_INET6, ip.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<uint16_t>(port));
    address.length = sizeof *v6;
  }
  return address;
}

// The error of a connection that has ended; 0 if it stands.
int ErrorOf(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

}  // namespace

absl::StatusOr<absl::Duration> TimeConnect(const std::string& ip, int port, absl::Duration timeout,
                                           const CancelToken& cancel) {
  const std::string name = absl::StrCat(ip, " port ", port);
  const SocketAddress address = ParseAddress(ip, port);
  if (address.length == 0) return absl::InvalidArgumentError(name + ": not a numeric address");
  const UniqueFd fd(
      socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoError(errno, name);
  const absl::Duration start = MonotonicNow();
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) == 0) {
    return MonotonicNow() - start;
  }
  if (errno != EINPROGRESS) return ErrnoError(errno, name);
  pollfd polled[] = {{fd.get(), POLLOUT, 0}, {cancel.fd(), POLLIN, 0}};
  (void)RetryOnEintr(
      [&] { return poll(polled, 2, static_cast<int>(absl::ToInt64Milliseconds(timeout))); });
  if (cancel.cancelled()) return absl::CancelledError(absl::StrCat(name, ": ", cancel.reason()));
  if (polled[0].revents == 0) {
    return absl::DeadlineExceededError(
        absl::StrCat(name, ": no connection within ", absl::FormatDuration(timeout)));
  }
  const int error = ErrorOf(fd.get());
  if (error != 0) return ErrnoError(error, name);
  return MonotonicNow() - start;
}

}  // namespace sparkles
