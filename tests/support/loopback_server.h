// An HTTP server on the loopback interface, small enough to misbehave in any way a test asks for.
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

// One connection, on the server's side. Used by one thread.
class LoopbackConnection {
 public:
  LoopbackConnection(LoopbackServer& server, UniqueFd socket, int number);

  // From 1 on, in the order of acceptance.
  int number() const { return number_; }
  // The next request, head and body (by Content-Length) as they came; nullopt at the end.
  std::optional<std::string> ReadRequest();
  // Only up to the empty line. The server does not count it as a request.
  std::optional<std::string> ReadHead();
  void Write(absl::string_view data);
  // Adds a Content-Length. `headers` are lines, each with its "\r\n".
  void Answer(int status, absl::string_view body = "", absl::string_view headers = "");
  // Speaks TLS from here on, as after a CONNECT. False if the other side does not.
  bool StartTls(SSL_CTX* tls);
  // Ends the connection with a TCP reset instead of a proper end.
  void Reset();
  // Blocks until the other side ends the connection, or the server its life.
  void WaitForEnd();

 private:
  friend class LoopbackServer;
  struct SslDeleter {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  bool Fill();
  // Ends reading and writing, here and on the other side. Any thread may.
  void Shutdown();

  LoopbackServer& server_;
  Mutex mutex_;                           // between Shutdown and closing
  UniqueFd socket_;                       // only the thread that uses the connection changes it
  std::unique_ptr<SSL, SslDeleter> ssl_;  // null: plain text
  const int number_;
  std::string buffer_;
};

// `handler` runs for each connection on a thread of its own; when it returns the connection ends.
class LoopbackServer {
 public:
  using Handler = std::function<void(LoopbackConnection&)>;

  // With `tls` (borrowed) it speaks https.
  explicit LoopbackServer(Handler handler, SSL_CTX* tls = nullptr);
  // Ends all connections, and waits for the handlers.
  ~LoopbackServer();

  // "http://127.0.0.1:port", or https.
  std::string url() const;
  std::string host() const;
  int connections() const;
  // All whole requests so far.
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

// What most handlers are: answers every request with 200 and `body`.
LoopbackServer::Handler AlwaysAnswer(std::string body);

}  // namespace sparkles
