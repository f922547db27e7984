// One request and its response on one libcurl handle.
// The one hard idea: libcurl repeats requests by itself, POSTs too, when a connection that was kept
// open turns out to be dead. It asks before each sending (MayBegin), and what is not mere reading
// may only go out again if no byte of it ever did; bodies come from a callback that cannot be
// rewound.
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

// What certificates are checked against: asked for when the first connection with TLS is made.
struct TrustedRoots {
  std::function<absl::StatusOr<X509_STORE*>()> store;
  std::string origin;  // for messages
};

// How the connection of an exchange is made.
struct CurlRoute {
  bool resolve = false;  // true: libcurl may resolve names; false: Run ends if it needs to
  CurlList addresses;    // known ones, "+HOST:PORT:IP,IP"; may be null
  std::string proxy;     // for messages; empty: none
  absl::Duration spent;  // on the lookup; counts towards the request's time limits
};

enum class NeededName { kNone, kHost, kProxy };

// Used once, on one thread. Borrows all that it refers to.
class CurlExchange {
 public:
  CurlExchange(const HttpRequest& request, const HttpTarget& target, const TrustedRoots& roots,
               const CurlRoute& route);
  CurlExchange(const CurlExchange&) = delete;
  CurlExchange& operator=(const CurlExchange&) = delete;

  // The handles may be used for another exchange afterwards, whatever the outcome.
  absl::StatusOr<HttpResponse> Run(CURLM* multi, CURL* easy);

  // If Run ended because libcurl needed an address: whose. The caller then looks it up and makes
  // another exchange, on other handles. Run has sent nothing, or only data that may be sent twice.
  NeededName needed_name() const { return needed_name_; }

 private:
  using Time = std::chrono::steady_clock::time_point;

  absl::Status SetOptions();
  absl::StatusOr<CURLcode> Drive(CURLM* multi);
  absl::Status LookAround();
  CURLMcode Wait(CURLM* multi) const;
  absl::StatusOr<HttpResponse> Finish(CURLcode code);

  // What libcurl calls; a false result makes it give up, with the reason in error_.
  bool MayBegin();
  void StopAtName();
  bool Trust(SSL_CTX* context);
  bool SeeHeadLine(absl::string_view line);
  bool TakeHead();
  bool TakeBody(absl::string_view piece);
  bool GiveBody(char* buffer, size_t capacity, size_t& count);
  bool Fail(absl::Status error);

  absl::Status Cancelled() const;
  absl::Status Broken() const;
  absl::Status TooLarge(absl::string_view what, size_t bytes) const;
  curl_off_t BytesMoved() const;
  long HeadBytesSent() const;
  bool SentSomething() const;
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
  bool whole_head_ = false;          // the empty line at its end has come
  bool has_head_ = false;            // it is in response_
  std::optional<long> head_before_;  // bytes of heads for a proxy, before ours first began
  uint64_t handed_out_ = 0;          // how many bytes of the body libcurl has
  bool stopped_at_name_ = false;
  NeededName needed_name_ = NeededName::kNone;
  absl::Status error_;  // ours, or of a source, sink or on_progress: goes before libcurl's

  // When so much had moved that it is no stall, and how many bytes that were.
  Time last_move_;
  curl_off_t bytes_moved_ = 0;
  Time last_progress_;
};

}  // namespace sparkles
