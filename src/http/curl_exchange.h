// Sends one request and receives its response on one libcurl handle.
// If a kept connection turns out to be dead, libcurl repeats the request by itself, even a POST.
// BeforeSend, which libcurl calls before it sends, allows this only for GET and HEAD, or if no byte
// was sent. The callback that provides a body cannot rewind.
#pragma once

#include <openssl/types.h>

#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "http/curl_handles.h"
#include "http/curl_request.h"
#include "http/transport.h"

namespace sparkles {

// The CA roots that certificates are checked against.
struct TrustedRoots {
  std::function<absl::StatusOr<X509_STORE*>()> store;  // called for each new TLS connection
  std::string origin;                                  // for messages
};

// How an exchange connects.
struct CurlRoute {
  bool resolve = false;  // false: Run ends if libcurl needs to resolve a name
  CurlList addresses;    // known addresses, "+HOST:PORT:IP,IP"; may be null
  std::string proxy;     // for messages; empty if there is no proxy
  absl::Duration spent;  // time of the lookup, which counts towards the request's timeouts
};

enum class NeededName { kNone, kHost, kProxy };

// Used once, on one thread. Borrows all arguments.
class CurlExchange {
 public:
  CurlExchange(const HttpRequest& request, const HttpTarget& target, const TrustedRoots& roots,
               const CurlRoute& route);
  CurlExchange(const CurlExchange&) = delete;
  CurlExchange& operator=(const CurlExchange&) = delete;

  // Afterwards the handles may be used for another exchange, also after an error.
  absl::StatusOr<HttpResponse> Run(CURLM* multi, CURL* easy);

  // The kind of name, if Run ended because libcurl needed its address. The caller then looks up the
  // name and makes another exchange on other handles. Run has sent nothing, or only data that may
  // be sent twice.
  NeededName needed_name() const { return needed_name_; }

 private:
  using Time = std::chrono::steady_clock::time_point;

  absl::Status SetOptions();
  absl::StatusOr<CURLcode> Drive(CURLM* multi);
  absl::Status CheckLimits();
  CURLMcode Wait(CURLM* multi) const;
  absl::StatusOr<HttpResponse> Finish(CURLcode code);

  // Callbacks of libcurl. If one returns false, libcurl ends the exchange, and error_ has the
  // reason.
  bool BeforeSend();
  void StopAtNameLookup();
  bool InstallRoots(SSL_CTX* context);
  bool OnHeaderLine(absl::string_view line);
  bool ReadResponseHead();
  bool OnResponseBody(absl::string_view piece);
  bool ReadRequestBody(char* buffer, size_t capacity, size_t& count);
  bool Fail(absl::Status error);

  absl::Status Cancelled() const;
  absl::Status ConnectionLost() const;
  absl::Status TooLarge(absl::string_view what, size_t bytes) const;
  curl_off_t BytesMoved() const;
  long HeadBytesSent() const;
  bool HasSentBytes() const;
  bool MaybeApplied() const;

  const HttpRequest& request_;
  const HttpTarget& target_;
  const TrustedRoots& roots_;
  const CurlRoute& route_;
  const uint64_t body_bytes_;
  CURL* easy_ = nullptr;
  CurlList headers_;
  std::array<char, CURL_ERROR_SIZE> detail_{};

  HttpResponse response_;
  size_t head_bytes_ = 0;
  bool head_complete_ = false;            // the empty line at the end has been received
  bool head_read_ = false;                // the head is in response_
  std::optional<long> proxy_head_bytes_;  // sent to the proxy; unset until BeforeSend
  uint64_t body_bytes_read_ = 0;          // bytes of the request's body that libcurl has
  bool stopped_at_name_ = false;
  NeededName needed_name_ = NeededName::kNone;
  absl::Status error_;  // of a callback; has precedence over libcurl's error

  // The last time without a stall, and the bytes transferred until then.
  Time last_transfer_;
  curl_off_t bytes_moved_ = 0;
  Time last_progress_;
};

}  // namespace sparkles
