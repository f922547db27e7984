#include "monitor/listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace sparkles {
namespace {

TEST(ListenOnTest, PortZeroLetsKernelChoosePort) {
  const auto socket = ListenOn(0);
  ASSERT_TRUE(socket.ok()) << socket.status();
  EXPECT_GT(PortOf(socket->get()), 0);
  EXPECT_NE(fcntl(socket->get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(ListenOnTest, BusyPortIsNamed) {
  const auto first = ListenOn(0);
  ASSERT_TRUE(first.ok());
  const auto second = ListenOn(PortOf(first->get()));
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find("in use"), absl::string_view::npos) << second.status();
}

}  // namespace
}  // namespace sparkles
