#include "monitor/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/status.h"
#include "base/thread.h"
#include "process/monotonic.h"

namespace sparkles {
namespace {

// Number of connections that wait to be accepted. The clients of further ones retry.
constexpr int kBacklog = 128;
// Interval at which the stop token is checked if it has no descriptor.
constexpr int kPollMilliseconds = 200;
// Interval at which the received bytes of all connections are checked. On the loopback, a client
// can send about 25 MB within it. A check takes some microseconds for each connection.
constexpr absl::Duration kTrafficPeriod = absl::Milliseconds(50);
// Wait after the kernel had no descriptor or no memory for a connection.
constexpr absl::Duration kRetryDelay = absl::Milliseconds(100);

void SetOption(int fd, int level, int name, int value) {
  (void)setsockopt(fd, level, name, &value, sizeof value);
}

absl::StatusOr<UniqueFd> ListenTo(const sockaddr* address, socklen_t length,
                                  const std::string& name) {
  UniqueFd fd(socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoError(errno, name);
  // Allows a port that an earlier worker has just closed.
  SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (address->sa_family == AF_INET6) SetOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (bind(fd.get(), address, length) != 0) return ErrnoError(errno, name);
  if (listen(fd.get(), kBacklog) != 0) return ErrnoError(errno, name);
  return fd;
}

}  // namespace

absl::StatusOr<UniqueFd> ListenOn(int port) {
  const std::string name = absl::StrCat("port ", port);
  sockaddr_in6 any6{};
  any6.sin6_family = AF_INET6;
  any6.sin6_addr = in6addr_any;
  any6.sin6_port = htons(static_cast<uint16_t>(port));
  auto both = ListenTo(reinterpret_cast<const sockaddr*>(&any6), sizeof any6, name);
  if (both.ok()) return both;
  sockaddr_in any4{};
  any4.sin_family = AF_INET;
  any4.sin_addr.s_addr = htonl(INADDR_ANY);
  any4.sin_port = any6.sin6_port;
  return ListenTo(reinterpret_cast<const sockaddr*>(&any4), sizeof any4, name);
}

int PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  // IPv4 and IPv6 addresses have the port at the same place.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

Listener::Listener(UniqueFd socket, ListenerLimits limits,
                   std::function<void(UniqueFd)> on_connection)
    : socket_(std::move(socket)),
      limits_(limits),
      on_connection_(std::move(on_connection)),
      reset_thread_(StartHousekeeping("monitor-guard", [this] { ResetLoop(); })) {
  try {
    acceptor_ = StartHousekeeping("monitor", [this] { AcceptLoop(); });
  } catch (...) {
    End();
    throw;
  }
}

Listener::~Listener() {
  stop_.Cancel(CancelKind::kAbort, "the Monitor ends");
  // Joined before the thread that resets connections, because a client that sends without end could
  // block the acceptor for ever.
  acceptor_.join();
  End();
}

void Listener::End() {
  {
    MutexLock lock(mutex_);
    ended_ = true;
    changed_.NotifyAll();
  }
  reset_thread_.join();
}

void Listener::ResetLoop() {
  MutexLock lock(mutex_);
  while (!ended_) {
    const bool idle = sockets_.CountOpen() == 0;
    sockets_.ResetOverLimit(limits_.traffic, MonotonicNow());
    changed_.WaitFor(mutex_, idle ? absl::InfiniteDuration() : kTrafficPeriod);
  }
}

// A token bucket. `full_at` is the time at which the bucket will be full again.
void Listener::AcceptLoop() {
  SystemClock clock;
  const absl::Duration interval = absl::Seconds(1) / limits_.per_second;
  absl::Time full_at = clock.Now();
  while (!stop_.cancelled()) {
    const absl::Time now = clock.Now();
    // A clock that was set back must not block all clients.
    full_at = std::clamp(full_at, now, now + interval * limits_.burst);
    if (full_at > now + interval * (limits_.burst - 1)) {
      clock.Sleep(interval, stop_);
      continue;
    }
    WaitForConnection();
    if (!stop_.cancelled() && AcceptOne()) full_at += interval;
  }
}

void Listener::WaitForConnection() {
  pollfd waits[2] = {{socket_.get(), POLLIN, 0}, {stop_.fd(), POLLIN, 0}};
  (void)poll(waits, 2, stop_.fd() < 0 ? kPollMilliseconds : -1);
}

bool Listener::AcceptOne() {
  UniqueFd connection(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!connection.valid()) {
    const bool lacking = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    if (lacking) SystemClock().Sleep(kRetryDelay, stop_);
    return false;
  }
  SetOption(connection.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  {
    MutexLock lock(mutex_);
    const int open = sockets_.CountOpen();
    if (open >= limits_.connections) return true;  // closes the connection
    sockets_.Add(connection.get(), MonotonicNow());
    if (open == 0) changed_.NotifyAll();
  }
  on_connection_(std::move(connection));
  return true;
}

}  // namespace sparkles
