#include "http/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/fd.h"

namespace sparkles {
namespace {

// The port does not matter, because connecting a UDP socket only looks up the route.
constexpr in_port_t kAnyPort = 53;

bool CanConnect(int family, const sockaddr* address, socklen_t size) {
  const UniqueFd socket(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return socket.get() >= 0 && connect(socket.get(), address, size) == 0;
}

}  // namespace

bool IsIpAddress(const std::string& text) {
  in6_addr address;
  return inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

bool HasRouteTo(const std::string& ip) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(kAnyPort);
  if (inet_pton(AF_INET, ip.c_str(), &v4.sin_addr) == 1) {
    return CanConnect(AF_INET, reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(kAnyPort);
  return inet_pton(AF_INET6, ip.c_str(), &v6.sin6_addr) == 1 &&
         CanConnect(AF_INET6, reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
}

}  // namespace sparkles
