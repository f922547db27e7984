// A very small HTTP server for health checks and metrics: one thread, bounded in everything.
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

// From construction to destruction. One request a connection. At most 16 connections at a time, the
// others wait in the kernel; none lives longer than `lifetime`, whatever the client does.
class HealthServer {
 public:
  // Called on the server's thread; must not block.
  using Handler = std::function<HealthAnswer(absl::string_view path)>;

  // Listens on the numeric IPv4 or IPv6 `address`; port 0 takes a free one.
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
  // The connection that has waited longest without having sent its request; else the end.
  std::vector<std::unique_ptr<Connection>>::iterator OldestSilent();
  // Whether one more can be taken, if need be instead of a silent one.
  bool HasRoom();
  void Accept();
  // False once the connection is over.
  bool Advance(Connection& connection);
  bool Receive(Connection& connection);
  static bool Send(Connection& connection);

  const UniqueFd listener_;
  const int port_;
  const Handler handler_;
  const absl::Duration lifetime_;
  std::vector<std::unique_ptr<Connection>> connections_;  // of the thread
  bool out_of_descriptors_ = false;                       // the same
  Housekeeper thread_;
};

}  // namespace sparkles
