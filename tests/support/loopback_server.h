// An HTTP server on the loopback interface that can misbehave in every way that a test needs.
#pragma once

#include <openssl/ssl.h>

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "base/fd.h"
#include "base/mutex.h"

namespace sparkles {

class LoopbackServer;

// The server's side of one connection. Used by one thread.
class LoopbackConnection {
 public:
  LoopbackConnection(LoopbackServer& server, UniqueFd socket, int number);

  // Connections are numbered from 1 in the order in which they are accepted.
  int number() const { return number_; }
  // The next request with head and body (by Content-Length), unchanged; nullopt at the end.
  std::optional<std::string> ReadRequest();
  // Reads only up to the empty line. The server does not count such a request.
  std::optional<std::string> ReadHead();
  void Write(absl::string_view data);
  // Adds a Content-Length. `headers` are lines that each end in "\r\n".
  void Answer(int status, absl::string_view body = "", absl::string_view headers = "");
  // Uses TLS from here on, as after a CONNECT. False if the other side does not.
  bool StartTls(SSL_CTX* tls);
  // Ends the connection with a TCP reset.
  void Reset();
  // Blocks until the other side closes the connection, or the server is destroyed.
  void WaitForEnd();

 private:
  friend class LoopbackServer;
  struct SslDeleter {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  bool Fill();
  // Ends reading and writing on both sides. Any thread may call this.
  void Shutdown();

  LoopbackServer& server_;
  Mutex mutex_;                           // protects Shutdown against closing
  UniqueFd socket_;                       // changed only by the thread that uses the connection
  std::unique_ptr<SSL, SslDeleter> ssl_;  // null: plain text
  const int number_;
  std::string buffer_;
};

// Runs `handler` for each connection on its own thread. The connection ends when `handler` returns.
class LoopbackServer {
 public:
  using Handler = std::function<void(LoopbackConnection&)>;

  // Uses https if `tls` (borrowed) is not null.
  explicit LoopbackServer(Handler handler, SSL_CTX* tls = nullptr);
  // Ends all connections and waits for the handlers.
  ~LoopbackServer();

  // "http://127.0.0.1:port", or the same with https.
  std::string url() const;
  std::string host() const;
  int connections() const;
  // All complete requests so far.
  std::vector<std::string> requests() const;

 private:
  friend class LoopbackConnection;
  struct Served {
    std::unique_ptr<LoopbackConnection> connection;
    std::thread thread;
  };

  void Accept();
  void Record(std::string request);

  const Handler handler_;
  SSL_CTX* const tls_;
  UniqueFd listener_;
  int port_ = 0;
  mutable Mutex mutex_;
  std::list<Served> served_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  std::thread acceptor_;
};

// A handler that answers every request with 200 and `body`.
LoopbackServer::Handler AlwaysAnswer(std::string body);

}  // namespace sparkles
