#include "tests/support/emulator.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/fd.h"

namespace sparkles {
namespace {

constexpr absl::Duration kBootTime = absl::Seconds(180);

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// True if the emulator answers. Sends a real query, because the first query is slow and would
// otherwise delay a test.
bool IsUp(int port) {
  const UniqueFd socket_fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = Loopback(port);
  if (connect(socket_fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return false;
  }
  const std::string query = R"({"query": {"kind": [{"name": "Nothing"}]}})";
  const std::string request = absl::StrCat(
      "POST /v1/projects/warm-up:runQuery HTTP/1.0\r\nContent-Type: application/json\r\n",
      "Content-Length: ", query.size(), "\r\n\r\n", query);
  char answer[64];
  return write(socket_fd.get(), request.data(), request.size()) > 0 &&
         read(socket_fd.get(), answer, sizeof answer) > 0;
}

// Waits for the emulator to start.
void AwaitBoot(int port) {
  for (const absl::Time end = absl::Now() + kBootTime; absl::Now() < end;) {
    if (IsUp(port)) return;
    absl::SleepFor(absl::Milliseconds(50));
  }
  std::fprintf(stderr, "the emulator on port %d did not start within %s\n", port,
               absl::FormatDuration(kBootTime).c_str());
  std::abort();
}

}  // namespace

const std::string& EmulatorAddress() {
  static const std::string address = [] {
    const char* running = getenv("SPARKLES_TEST_DATASTORE");
    std::string found = running == nullptr ? "" : running;
    if (!found.empty()) AwaitBoot(std::atoi(found.substr(found.rfind(':') + 1).c_str()));
    return found;
  }();
  return address;
}

std::string FreshProject() {
  static std::atomic<int> count = 0;
  return absl::StrCat("test-", getpid(), "-", ++count);
}

}  // namespace sparkles
