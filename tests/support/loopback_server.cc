#include "tests/support/loopback_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <csignal>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sparkles {
namespace {

size_t ContentLength(absl::string_view head) {
  for (const absl::string_view line : absl::StrSplit(head, "\r\n")) {
    uint64_t length = 0;
    if (absl::StartsWithIgnoreCase(line, "content-length:") &&
        absl::SimpleAtoi(line.substr(15), &length)) {
      return size_t{length};
    }
  }
  return 0;
}

}  // namespace

LoopbackConnection::LoopbackConnection(LoopbackServer& server, UniqueFd socket, int number)
    : server_(server), socket_(std::move(socket)), number_(number) {}

bool LoopbackConnection::StartTls(SSL_CTX* tls) {
  ssl_.reset(SSL_new(tls));
  return SSL_set_fd(ssl_.get(), socket_.get()) == 1 && SSL_accept(ssl_.get()) == 1;
}

bool LoopbackConnection::Fill() {
  char data[64 << 10];
  const auto got = ssl_ ? ssize_t{SSL_read(ssl_.get(), data, sizeof data)}
                        : recv(socket_.get(), data, sizeof data, 0);
  if (got > 0) buffer_.append(data, static_cast<size_t>(got));
  return got > 0;
}

std::optional<std::string> LoopbackConnection::ReadHead() {
  size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return std::nullopt;
  }
  std::string head = buffer_.substr(0, end + 4);
  buffer_.erase(0, head.size());
  return head;
}

std::optional<std::string> LoopbackConnection::ReadRequest() {
  std::optional<std::string> request = ReadHead();
  if (!request.has_value()) return std::nullopt;
  const size_t length = ContentLength(*request);
  while (buffer_.size() < length) {
    if (!Fill()) return std::nullopt;
  }
  request->append(buffer_, 0, length);
  buffer_.erase(0, length);
  server_.Record(*request);
  return request;
}

void LoopbackConnection::Write(absl::string_view data) {
  if (ssl_) {
    (void)SSL_write(ssl_.get(), data.data(), static_cast<int>(data.size()));
    return;
  }
  while (!data.empty()) {
    const ssize_t sent = send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    data.remove_prefix(static_cast<size_t>(sent));
  }
}

void LoopbackConnection::Answer(int status, absl::string_view body, absl::string_view headers) {
  Write(absl::StrCat("HTTP/1.1 ", status, " Said\r\nContent-Length: ", body.size(), "\r\n", headers,
                     "\r\n", body));
}

void LoopbackConnection::Reset() {
  const linger at_once{1, 0};
  (void)setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  MutexLock lock(mutex_);
  socket_.reset();
}

void LoopbackConnection::Shutdown() {
  MutexLock lock(mutex_);
  (void)shutdown(socket_.get(), SHUT_RDWR);
}

void LoopbackConnection::WaitForEnd() {
  while (Fill()) {
  }
}

LoopbackServer::LoopbackServer(Handler handler, SSL_CTX* tls)
    : handler_(std::move(handler)), tls_(tls) {
  (void)signal(SIGPIPE, SIG_IGN);  // as the worker does
  listener_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  EXPECT_EQ(bind(listener_.get(), generic, length), 0);
  EXPECT_EQ(listen(listener_.get(), 128), 0);
  EXPECT_EQ(getsockname(listener_.get(), generic, &length), 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

LoopbackServer::~LoopbackServer() {
  (void)shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  std::list<Served> served;
  {
    MutexLock lock(mutex_);
    served.swap(served_);
  }
  for (Served& one : served) one.connection->Shutdown();
  for (Served& one : served) one.thread.join();
}

void LoopbackServer::Accept() {
  for (int number = 1;; ++number) {
    UniqueFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket.valid()) return;
    auto connection = std::make_unique<LoopbackConnection>(*this, std::move(socket), number);
    LoopbackConnection* served = connection.get();
    MutexLock lock(mutex_);
    served_.push_back({std::move(connection), std::thread([this, served] {
                         if (tls_ == nullptr || served->StartTls(tls_)) handler_(*served);
                         served->Shutdown();
                       })});
  }
}

void LoopbackServer::Record(std::string request) {
  MutexLock lock(mutex_);
  requests_.push_back(std::move(request));
}

std::string LoopbackServer::host() const { return absl::StrCat("127.0.0.1:", port_); }

std::string LoopbackServer::url() const {
  return absl::StrCat(tls_ == nullptr ? "http://" : "https://", host());
}

int LoopbackServer::connections() const {
  MutexLock lock(mutex_);
  return static_cast<int>(served_.size());
}

std::vector<std::string> LoopbackServer::requests() const {
  MutexLock lock(mutex_);
  return requests_;
}

LoopbackServer::Handler AlwaysAnswer(std::string body) {
  return [body = std::move(body)](LoopbackConnection& connection) {
    while (connection.ReadRequest()) connection.Answer(200, body);
  };
}

}  // namespace sparkles
