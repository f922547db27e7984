// The seam to HTTP: one request out, one response back, nothing retried.
// The one hard idea: any status that a server sends is a *successful* exchange; an error means that
// there is no response, and then it is marked whether the server may have acted all the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/cancel.h"

namespace sparkles {

// Names are compared without regard to case.
class HttpHeaders {
 public:
  void Add(absl::string_view name, absl::string_view value);
  // The first value of that name; null if there is none.
  const std::string* Find(absl::string_view name) const;
  // All values of that name, in order.
  std::vector<std::string> All(absl::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& entries() const { return entries_; }

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;
  std::string body;  // without what went to HttpRequest::on_body
};

// Fills `buffer` with up to `capacity` bytes; 0 only at the end of the body. Called on the thread
// that sends. An error ends the exchange with that very error.
using BodySource = std::function<absl::StatusOr<size_t>(char* buffer, size_t capacity)>;
// Takes the next piece of the body of `response`, whose status and headers are complete and whose
// body is empty. An error ends the exchange with that very error.
using BodySink = std::function<absl::Status(const HttpResponse& response, absl::string_view piece)>;

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  HttpHeaders headers;
  std::string body;         // sent unless there is a body_source
  BodySource body_source;   // may be empty
  uint64_t body_bytes = 0;  // how many bytes body_source gives in all
  BodySink on_body;         // may be empty; gets the bodies of 2xx responses, others go to `body`
  std::function<absl::Status()> on_progress;  // may be empty; called about every second at least

  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration timeout = absl::InfiniteDuration();  // of the whole exchange
  // With less than a byte a second in both directions, for so long, the exchange is given up.
  absl::Duration stall_timeout = absl::Seconds(120);
  // A longer body of a response that goes to `body` is an error: the guard of our memory.
  size_t max_body_bytes = size_t{16} << 20;
  bool accept_compressed = false;  // let the server compress, and undo it (for JSON, never media)
  bool bypass_proxy = false;       // for the metadata server
  const CancelToken* cancel = nullptr;  // may be null
};

// Thread-safe and blocking. Never retries (but a GET or HEAD that meets a dead connection may go
// to a new one), never follows a redirect. Content-Length and the like are its own business: such
// headers of a request are left out.
//
// Errors, as `host: reason` without headers, query or path: Cancelled with the token's reason; what
// a source, sink or on_progress returned, unchanged; Aborted (a source ended before body_bytes);
// InvalidArgument (the URL or a header cannot be sent: a machine fault, since what is not encoded
// in them comes from settings); FailedPrecondition for what only people can mend (TLS certificate
// refused, no CA roots, proxy wants a password). All others are trouble with the network, or an
// answer that nobody should hold (ResourceExhausted: a body longer than max_body_bytes, endless
// headers): they are marked as transient (http/transient.h), and as maybe applied unless it is
// certain that the server never had the whole request.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;
  virtual absl::StatusOr<HttpResponse> Send(const HttpRequest& request) = 0;
};

}  // namespace sparkles
