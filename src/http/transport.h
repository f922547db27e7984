// The seam to HTTP: sends one request and returns one response, without retries.
// Every response, with any HTTP status, is a success. An error means that there is no response, and
// a mark tells whether the server may have applied the request.
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

// A list of headers. Names are compared without regard to case.
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
  std::string body;  // empty if HttpRequest::on_body got the body
};

// Fills `buffer` with up to `capacity` bytes and returns their number, or 0 at the end of the body.
// Called on the thread of Send. Send returns an error of this function unchanged.
using BodySource = std::function<absl::StatusOr<size_t>(char* buffer, size_t capacity)>;
// Receives the next piece of a response's body. `response` has its status and headers. Send returns
// an error of this function unchanged.
using BodySink = std::function<absl::Status(const HttpResponse& response, absl::string_view piece)>;

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  HttpHeaders headers;
  std::string body;                           // sent unless there is a body_source
  BodySource body_source;                     // may be empty
  uint64_t body_bytes = 0;                    // the number of bytes of body_source
  BodySink on_body;                           // may be empty; gets the bodies of 2xx responses
  std::function<absl::Status()> on_progress;  // may be empty; called at least about every second

  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration timeout = absl::InfiniteDuration();  // of the whole exchange
  // The exchange fails after this time with less than a byte a second in both directions.
  absl::Duration stall_timeout = absl::Seconds(120);
  // Limits the memory for HttpResponse::body. A longer body is an error.
  size_t max_body_bytes = size_t{16} << 20;
  bool accept_compressed = false;  // for JSON: the server may compress, the transport decompresses
  bool bypass_proxy = false;       // for the metadata server
  const CancelToken* cancel = nullptr;  // may be null
};

// Thread-safe. Send blocks. It does not retry, except that it sends a GET or HEAD again if a kept
// connection was dead. It does not follow redirects. It sets Content-Length, Transfer-Encoding and
// Expect itself and leaves out such headers of a request.
//
// Messages have the form "host: reason", without headers, query or path. Errors:
//   Cancelled: the token was cancelled; the message has its reason;
//   an error of body_source, on_body or on_progress, unchanged;
//   Aborted: body_source ended before body_bytes;
//   InvalidArgument: the URL or a header cannot be sent. This is a machine fault, because the parts
//     that the caller does not encode come from settings;
//   FailedPrecondition: the user must act: a refused certificate, no CA roots, or a proxy that
//     wants a password;
//   ResourceExhausted: the body is longer than max_body_bytes, or the headers are too long;
//   all others: errors of the network.
// ResourceExhausted and errors of the network are transient (http/transient.h). They are marked as
// maybe applied unless the server certainly did not get the whole request.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;
  virtual absl::StatusOr<HttpResponse> Send(const HttpRequest& request) = 0;
};

}  // namespace sparkles
