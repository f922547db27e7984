#include "monitor/health_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::unique_ptr<HealthServer> StartServer(absl::Duration lifetime = absl::Minutes(1)) {
  auto server = HealthServer::Start(
      "127.0.0.1", 0,
      [](absl::string_view path) {
        return HealthAnswer{200, absl::StrCat("you asked for ", path)};
      },
      lifetime);
  EXPECT_TRUE(server.ok()) << server.status();
  return *std::move(server);
}

UniqueFd Connect(int port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

void Send(const UniqueFd& fd, absl::string_view text) {
  EXPECT_EQ(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
}

std::string ReceiveAll(const UniqueFd& fd) {
  std::string all;
  char piece[4096];
  ssize_t got;
  while ((got = recv(fd.get(), piece, sizeof piece, 0)) > 0) {
    all.append(piece, static_cast<size_t>(got));
  }
  return all;
}

std::string Ask(int port, absl::string_view request) {
  const UniqueFd fd = Connect(port);
  Send(fd, request);
  return ReceiveAll(fd);
}

TEST(HealthServerTest, RequestIsAnsweredAndConnectionClosed) {
  const auto server = StartServer();
  const std::string answer = Ask(server->port(), "GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 16\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\n\r\nyou asked for /a"));
  const std::string head = Ask(server->port(), "HEAD /a HTTP/1.1\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("Content-Length: 16\r\n"));
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
}

TEST(HealthServerTest, InvalidRequestIsRefusedWithStatus) {
  const auto server = StartServer();
  EXPECT_THAT(Ask(server->port(), "POST / HTTP/1.1\r\n\r\n"), HasSubstr("405 Method Not Allowed"));
  EXPECT_THAT(Ask(server->port(), "nonsense"), StartsWith("HTTP/1.1 400 Bad Request"));
}

TEST(HealthServerTest, RequestMayArriveByteByByte) {
  const auto server = StartServer();
  const UniqueFd fd = Connect(server->port());
  for (const char c : std::string("GET / HTTP/1.1\r\n\r\n")) Send(fd, std::string(1, c));
  EXPECT_THAT(ReceiveAll(fd), HasSubstr("200 OK"));
}

TEST(HealthServerTest, SilentConnectionsAreClosedAfterLifetime) {
  const auto server = StartServer(absl::Milliseconds(300));
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 16; ++i) silent.push_back(Connect(server->port()));
  // The server answers once the silent connections are closed. On a busy machine, the request may
  // be late, and the server closes its connection too.
  std::string answer;
  for (int i = 0; i < 20 && answer.empty(); ++i) {
    const UniqueFd fd = Connect(server->port());
    constexpr absl::string_view kRequest = "GET / HTTP/1.1\r\n\r\n";
    (void)!send(fd.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL);
    answer = ReceiveAll(fd);
  }
  EXPECT_THAT(answer, HasSubstr("200 OK"));
  for (const UniqueFd& fd : silent) EXPECT_EQ(ReceiveAll(fd), "");
}

TEST(HealthServerTest, SilentConnectionsDoNotBlockOthers) {
  const auto server = StartServer(absl::Hours(1));
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 40; ++i) silent.push_back(Connect(server->port()));
  EXPECT_THAT(Ask(server->port(), "GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST(HealthServerTest, ServesManyRequestsInSequence) {
  const auto server = StartServer();
  for (int i = 0; i < 500; ++i) {
    EXPECT_THAT(Ask(server->port(), "GET /x HTTP/1.1\r\n\r\n"), HasSubstr("you asked for /x"));
  }
}

TEST(HealthServerTest, StartErrorNamesPortOrAddress) {
  const auto server = StartServer();
  const auto second = HealthServer::Start("127.0.0.1", server->port(), nullptr);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(absl::StrCat("127.0.0.1 port ", server->port(), ": ")));
  const auto named = HealthServer::Start("localhost", 0, nullptr);
  EXPECT_EQ(named.status().message(), "localhost: not a numeric IP address");
}

}  // namespace
}  // namespace sparkles
