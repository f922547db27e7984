// Fuzzes the HTTP client with any bytes from a server. Each exchange must end with a response or an
// error, within limits.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/text.h"
#include "http/curl_transport.h"
#include "tests/fuzz/require.h"

namespace sparkles {
namespace {

constexpr size_t kMaxBody = 4096;

// Listens on the loopback interface for the life of the program.
class Listener {
 public:
  Listener() {
    signal(SIGPIPE, SIG_IGN);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    Require(bind(socket_.get(), any, size) == 0 && listen(socket_.get(), 8) == 0 &&
                getsockname(socket_.get(), any, &size) == 0,
            "the loopback can be listened to");
    port_ = ntohs(address.sin_port);
  }

  int port() const { return port_; }

  // Sends `bytes` to the next client and ends the connection.
  void Answer(absl::string_view bytes) {
    const UniqueFd connection(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection.valid()) return;
    char request[4096];
    (void)!read(connection.get(), request, sizeof request);  // small, so it arrives in one piece
    size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t more = write(connection.get(), bytes.data() + sent, bytes.size() - sent);
      if (more <= 0) return;
      sent += static_cast<size_t>(more);
    }
  }

 private:
  const UniqueFd socket_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  int port_ = 0;
};

void Check(absl::string_view input) {
  static Listener listener;
  CurlTransport transport(CaRoots{});
  HttpRequest request;
  // A POST is never sent twice, so there is one connection.
  request.method = "POST";
  request.url = absl::StrCat("http://127.0.0.1:", listener.port(), "/");
  request.body = "x";
  request.max_body_bytes = kMaxBody;
  request.accept_compressed = true;
  request.bypass_proxy = true;
  request.timeout = absl::Seconds(10);
  std::thread server([&] { listener.Answer(input); });
  const absl::StatusOr<HttpResponse> response = transport.Send(request);
  server.join();
  if (!response.ok()) {
    Require(!HasControlCharacter(response.status().message()), "an error is one line");
    return;
  }
  Require(response->status >= 200 && response->status < 600, "a response has a status");
  Require(response->body.size() <= kMaxBody, "a body has its bounds");
  for (const auto& [name, value] : response->headers.entries()) {
    Require(!name.empty() && IsUtf8(name) && !HasControlCharacter(name),
            "a header's name is a name");
    Require(value.find_first_of("\r\n") == std::string::npos, "a header is one line");
  }
}

}  // namespace
}  // namespace sparkles

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sparkles::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
