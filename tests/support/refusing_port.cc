#include "tests/support/refusing_port.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "absl/strings/str_cat.h"

namespace sparkles {

RefusingPort::RefusingPort() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(bind(socket_.get(), generic, size), 0);
  EXPECT_EQ(getsockname(socket_.get(), generic, &size), 0);
  host_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
}

}  // namespace sparkles
