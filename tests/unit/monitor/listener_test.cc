#include "monitor/listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sparkles {
namespace {

UniqueFd Socket() { return UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

TEST(OpenSocketsTest, WhatIsClosedIsNotCounted) {
  OpenSockets sockets;
  UniqueFd first = Socket();
  const UniqueFd second = Socket();
  sockets.Add(first.get());
  sockets.Add(second.get());
  EXPECT_EQ(sockets.CountOpen(), 2);
  first.reset();
  EXPECT_EQ(sockets.CountOpen(), 1);
}

TEST(OpenSocketsTest, ADescriptorThatIsUsedAgainIsAnotherSocket) {
  OpenSockets sockets;
  UniqueFd first = Socket();
  const int number = first.get();
  sockets.Add(number);
  UniqueFd second = Socket();
  ASSERT_EQ(dup3(second.get(), number, O_CLOEXEC), number);  // closes the first
  EXPECT_EQ(sockets.CountOpen(), 0);
}

TEST(ListenOnTest, ThePortIsTheOneThatTheKernelChose) {
  const auto socket = ListenOn(0);
  ASSERT_TRUE(socket.ok()) << socket.status();
  EXPECT_GT(PortOf(socket->get()), 0);
  EXPECT_NE(fcntl(socket->get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(ListenOnTest, ABusyPortIsSaidToBe) {
  const auto first = ListenOn(0);
  ASSERT_TRUE(first.ok());
  const auto second = ListenOn(PortOf(first->get()));
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find("in use"), absl::string_view::npos) << second.status();
}

}  // namespace
}  // namespace sparkles
