#include "monitor/health_server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "monitor/request_head.h"

namespace sparkles {
namespace {

using Steady = std::chrono::steady_clock;

constexpr size_t kMaxConnections = 16;
// How often deadlines are looked at, and a full table of descriptors is tried again.
constexpr int kLookMillis = 100;

absl::string_view ReasonOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Bad Request";
  }
}

std::string ResponseText(const HealthAnswer& answer, bool head_only) {
  return absl::StrCat("HTTP/1.1 ", answer.status, " ", ReasonOf(answer.status),
                      "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8",
                      answer.status == 405 ? "\r\nAllow: GET, HEAD" : "",
                      "\r\nContent-Length: ", answer.body.size(),
                      "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
                      head_only ? "" : answer.body);
}

bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

absl::StatusOr<UniqueFd> Listen(const std::string& address, int port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.c_str(), absl::StrCat(port).c_str(), &hints, &found) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(address, ": not a numeric IP address"));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, freeaddrinfo);
  UniqueFd fd(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const std::string name = absl::StrCat(address, " port ", port);
  if (!fd.valid()) return ErrnoError(errno, name);
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 || listen(fd.get(), 64) != 0) {
    return ErrnoError(errno, name);
  }
  return fd;
}

int PortOf(int fd) {
  sockaddr_in6 address{};  // of both families; the port is at the same place
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.sin6_port);
}

}  // namespace

struct HealthServer::Connection {
  enum class Phase { kReceive, kSend, kDrain };

  UniqueFd fd;
  Steady::time_point deadline;
  Phase phase = Phase::kReceive;
  std::string received;
  std::string to_send;
  size_t sent = 0;
};

absl::StatusOr<std::unique_ptr<HealthServer>> HealthServer::Start(const std::string& address,
                                                                  int port, Handler handler,
                                                                  absl::Duration lifetime) {
  ASSIGN_OR_RETURN(UniqueFd listener, Listen(address, port));
  const int actual_port = PortOf(listener.get());
  std::unique_ptr<HealthServer> server(
      new HealthServer(std::move(listener), actual_port, std::move(handler), lifetime));
  RETURN_IF_ERROR(server->thread_.status());
  return server;
}

HealthServer::HealthServer(UniqueFd listener, int port, Handler handler, absl::Duration lifetime)
    : listener_(std::move(listener)),
      port_(port),
      handler_(std::move(handler)),
      lifetime_(lifetime),
      thread_("health", [this](const CancelToken& done) { Serve(done); }) {}

HealthServer::~HealthServer() = default;

void HealthServer::Serve(const CancelToken& done) {
  while (!done.cancelled()) {
    std::vector<pollfd> waited = {{done.fd(), POLLIN, 0}};
    const bool full = !HasRoom() || out_of_descriptors_;
    waited.push_back({full ? -1 : listener_.get(), POLLIN, 0});
    for (const auto& connection : connections_) {
      const bool sends = connection->phase == Connection::Phase::kSend;
      waited.push_back({connection->fd.get(), static_cast<short>(sends ? POLLOUT : POLLIN), 0});
    }
    const bool must_look = !connections_.empty() || full || done.fd() < 0;
    (void)poll(waited.data(), waited.size(), must_look ? kLookMillis : -1);
    out_of_descriptors_ = false;
    const Steady::time_point now = Steady::now();
    for (size_t i = 0; i < connections_.size(); ++i) {
      const bool over = now >= connections_[i]->deadline ||
                        (waited[i + 2].revents != 0 && !Advance(*connections_[i]));
      if (over) connections_[i].reset();
    }
    std::erase(connections_, nullptr);
    if (waited[1].revents != 0) Accept();
  }
}

std::vector<std::unique_ptr<HealthServer::Connection>>::iterator HealthServer::OldestSilent() {
  return std::find_if(connections_.begin(), connections_.end(), [](const auto& connection) {
    return connection->phase == Connection::Phase::kReceive;
  });
}

bool HealthServer::HasRoom() {
  return connections_.size() < kMaxConnections || OldestSilent() != connections_.end();
}

void HealthServer::Accept() {
  while (HasRoom()) {
    UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) {
      out_of_descriptors_ = errno == EMFILE || errno == ENFILE || errno == ENOMEM;
      return;
    }
    const bool full = connections_.size() >= kMaxConnections;
    if (full) connections_.erase(OldestSilent());
    auto connection = std::make_unique<Connection>();
    connection->fd = std::move(fd);
    connection->deadline = Steady::now() + absl::ToChronoMilliseconds(lifetime_);
    connections_.push_back(std::move(connection));
    if (full) return;  // one at a time: what it has sent is looked at before it is the oldest
  }
}

bool HealthServer::Advance(Connection& connection) {
  switch (connection.phase) {
    case Connection::Phase::kReceive:
      return Receive(connection);
    case Connection::Phase::kSend:
      return Send(connection);
    case Connection::Phase::kDrain:
      break;
  }
  // What is closed with unread bytes is reset, which can take the answer away from the client.
  char rest[4096];
  const ssize_t got = recv(connection.fd.get(), rest, sizeof rest, 0);
  return got > 0 || (got < 0 && WouldBlock());
}

bool HealthServer::Receive(Connection& connection) {
  char piece[2048];
  const ssize_t got = recv(connection.fd.get(), piece, sizeof piece, 0);
  if (got < 0) return WouldBlock();
  if (got == 0) return false;
  connection.received.append(piece, static_cast<size_t>(got));
  const RequestHead request = ParseRequestHead(connection.received);
  if (request.status == 0) return true;
  HealthAnswer answer{request.status, absl::StrCat(ReasonOf(request.status), "\n")};
  if (request.status == 200) answer = handler_(request.path);
  connection.to_send = ResponseText(answer, request.head_only);
  connection.received.clear();
  connection.phase = Connection::Phase::kSend;
  return Send(connection);
}

bool HealthServer::Send(Connection& connection) {
  const absl::string_view rest = absl::string_view(connection.to_send).substr(connection.sent);
  const ssize_t sent = send(connection.fd.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
  if (sent < 0) return WouldBlock();
  connection.sent += static_cast<size_t>(sent);
  if (connection.sent < connection.to_send.size()) return true;
  shutdown(connection.fd.get(), SHUT_WR);
  connection.phase = Connection::Phase::kDrain;
  return true;
}

}  // namespace sparkles
