// A small HTTP server for health checks and metrics, with one thread and bounded memory.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/fd.h"
#include "base/thread.h"

namespace sparkles {

struct HealthAnswer {
  int status = 200;
  std::string body;  // plain text
};

// Serves until it is destroyed. Answers one request on each connection. Keeps at most 16
// connections open, and others wait in the kernel. Closes each connection after `lifetime` at the
// latest.
class HealthServer {
 public:
  // Called on the server's thread. Must not block.
  using Handler = std::function<HealthAnswer(absl::string_view path)>;

  // Listens on the numeric IPv4 or IPv6 `address`. Port 0 selects a free port.
  static absl::StatusOr<std::unique_ptr<HealthServer>> Start(
      const std::string& address, int port, Handler handler,
      absl::Duration lifetime = absl::Seconds(5));
  ~HealthServer();
  HealthServer(const HealthServer&) = delete;
  HealthServer& operator=(const HealthServer&) = delete;

  int port() const { return port_; }

 private:
  struct Connection;

  HealthServer(UniqueFd listener, int port, Handler handler, absl::Duration lifetime);
  void Serve(const CancelToken& done);
  // The oldest connection that has not sent its request, or end().
  std::vector<std::unique_ptr<Connection>>::iterator OldestWithoutRequest();
  // True if one more connection can be accepted, perhaps in place of one without a request.
  bool CanAccept();
  void Accept();
  // The next three return false if the connection has ended.
  bool Advance(Connection& connection);
  bool Receive(Connection& connection);
  static bool Send(Connection& connection);

  const UniqueFd listener_;
  const int port_;
  const Handler handler_;
  const absl::Duration lifetime_;
  std::vector<std::unique_ptr<Connection>> connections_;  // used only by the thread
  bool out_of_descriptors_ = false;                       // used only by the thread
  Housekeeper thread_;
};

}  // namespace sparkles
