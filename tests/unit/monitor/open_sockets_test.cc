#include "monitor/open_sockets.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/file.h"
#include "monitor/listener.h"

namespace sparkles {
namespace {

constexpr absl::Duration kStart = absl::Seconds(1000);

UniqueFd Socket() { return UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

TEST(OpenSocketsTest, ClosedSocketIsNotCounted) {
  OpenSockets sockets;
  UniqueFd first = Socket();
  const UniqueFd second = Socket();
  sockets.Add(first.get(), kStart);
  sockets.Add(second.get(), kStart);
  EXPECT_EQ(sockets.CountOpen(), 2);
  first.reset();
  EXPECT_EQ(sockets.CountOpen(), 1);
}

TEST(OpenSocketsTest, ReusedDescriptorIsAnotherSocket) {
  OpenSockets sockets;
  UniqueFd first = Socket();
  const int number = first.get();
  sockets.Add(number, kStart);
  UniqueFd second = Socket();
  ASSERT_EQ(dup3(second.get(), number, O_CLOEXEC), number);  // closes the first
  EXPECT_EQ(sockets.CountOpen(), 0);
}

TEST(AllowedBytesTest, AllowanceGrowsWithTimeAndReplies) {
  const TrafficLimits limits{.at_once = 1000, .per_second = 10, .sent_for_each = 8};
  EXPECT_EQ(AllowedBytes(limits, absl::ZeroDuration(), 0), 1000);
  EXPECT_EQ(AllowedBytes(limits, absl::Seconds(60), 0), 1600);
  EXPECT_EQ(AllowedBytes(limits, absl::Seconds(60), 80'000), 11'600);
}

class CutGreedyTest : public testing::Test {
 protected:
  void SetUp() override {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(PortOf(listener_.get())));
    ASSERT_EQ(connect(client_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    server_ = UniqueFd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    sockets_.Add(server_.get(), kStart);
  }

  static void Move(int from, int to, size_t bytes) {
    ASSERT_TRUE(WriteAll(from, std::string(bytes, 'x'), "socket").ok());
    std::string received(bytes, ' ');
    ASSERT_EQ(recv(to, received.data(), bytes, MSG_WAITALL), static_cast<ssize_t>(bytes));
  }

  bool IsCut(absl::Duration age) {
    sockets_.CutGreedy(limits_, kStart + age);
    char byte;
    return recv(server_.get(), &byte, 1, MSG_DONTWAIT) < 0 && errno != EAGAIN;
  }

  const TrafficLimits limits_{.at_once = 10'000, .per_second = 100, .sent_for_each = 8};
  UniqueFd listener_ = ListenOn(0).value();
  UniqueFd client_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  UniqueFd server_;
  OpenSockets sockets_;
};

TEST_F(CutGreedyTest, ExcessiveSenderIsCut) {
  Move(client_.get(), server_.get(), 10'000);
  EXPECT_FALSE(IsCut(absl::ZeroDuration()));
  Move(client_.get(), server_.get(), 1000);
  EXPECT_FALSE(IsCut(absl::Seconds(10)));
  EXPECT_TRUE(IsCut(absl::Seconds(9)));
  EXPECT_EQ(sockets_.CountOpen(), 1);  // until its owner closes it
}

TEST_F(CutGreedyTest, RepliesRaiseAllowance) {
  for (int call = 0; call < 40; ++call) {
    Move(client_.get(), server_.get(), 1000);
    Move(server_.get(), client_.get(), 10'000);
  }
  EXPECT_FALSE(IsCut(absl::ZeroDuration()));
}

TEST_F(CutGreedyTest, ReusedDescriptorIsSpared) {
  Move(client_.get(), server_.get(), 20'000);
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  const UniqueFd other(pair[0]);
  const UniqueFd last(pair[1]);
  ASSERT_EQ(dup3(other.get(), server_.get(), O_CLOEXEC), server_.get());
  EXPECT_FALSE(IsCut(absl::ZeroDuration()));
}

}  // namespace
}  // namespace sparkles
