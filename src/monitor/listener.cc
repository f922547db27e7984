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

// Those that wait to be accepted; the kernel makes the others try again.
constexpr int kBacklog = 128;
// Without a descriptor to wake it up the thread looks that often whether it is to stop.
constexpr int kPollMilliseconds = 200;
// While there are connections it is looked that often what they have sent: some 25 MB at most, on
// the loopback. Costs some microseconds for each.
constexpr absl::Duration kTrafficPeriod = absl::Milliseconds(50);
// What the kernel lacks (descriptors, memory) it may have again soon.
constexpr absl::Duration kRest = absl::Milliseconds(100);

void SetOption(int fd, int level, int name, int value) {
  (void)setsockopt(fd, level, name, &value, sizeof value);
}

absl::StatusOr<UniqueFd> ListenTo(const sockaddr* address, socklen_t length,
                                  const std::string& name) {
  UniqueFd fd(socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoError(errno, name);
  // A port that an earlier worker served a minute ago is free.
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
  // The port is in the same place for both kinds of address.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

Listener::Listener(UniqueFd socket, ListenerLimits limits, std::function<void(UniqueFd)> take)
    : socket_(std::move(socket)),
      limits_(limits),
      take_(std::move(take)),
      guard_(StartHousekeeping("monitor-guard", [this] { Guard(); })) {
  try {
    acceptor_ = StartHousekeeping("monitor", [this] { Run(); });
  } catch (...) {
    End();
    throw;
  }
}

Listener::~Listener() {
  stop_.Cancel(CancelKind::kAbort, "the Monitor ends");
  acceptor_.join();  // as long as others are cut: one that floods us could hold it for ever
  End();
}

void Listener::End() {
  {
    MutexLock lock(mutex_);
    ended_ = true;
    changed_.NotifyAll();
  }
  guard_.join();
}

void Listener::Guard() {
  MutexLock lock(mutex_);
  while (!ended_) {
    const bool idle = sockets_.CountOpen() == 0;
    sockets_.CutGreedy(limits_.traffic, MonotonicNow());
    changed_.WaitFor(mutex_, idle ? absl::InfiniteDuration() : kTrafficPeriod);
  }
}

// A bucket of permits, which fills while nobody comes.
void Listener::Run() {
  SystemClock clock;
  const absl::Duration each = absl::Seconds(1) / limits_.per_second;
  absl::Time full_at = clock.Now();
  while (!stop_.cancelled()) {
    const absl::Time now = clock.Now();
    // A clock that was set back must not keep everybody out.
    full_at = std::clamp(full_at, now, now + each * limits_.burst);
    if (full_at > now + each * (limits_.burst - 1)) {
      clock.Sleep(each, stop_);
      continue;
    }
    WaitForConnection();
    if (!stop_.cancelled() && AcceptOne()) full_at += each;
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
    if (lacking) SystemClock().Sleep(kRest, stop_);
    return false;
  }
  SetOption(connection.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  {
    MutexLock lock(mutex_);
    const int open = sockets_.CountOpen();
    if (open >= limits_.connections) return true;  // closes it
    sockets_.Add(connection.get(), MonotonicNow());
    if (open == 0) changed_.NotifyAll();
  }
  take_(std::move(connection));
  return true;
}

}  // namespace sparkles
