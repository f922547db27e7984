#include "http/curl_exchange.h"

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "http/curl_error.h"
#include "http/transient.h"

namespace sparkles {
namespace {

using Steady = std::chrono::steady_clock;

// Measured: larger buffers are not faster, and many streams run in parallel.
constexpr long kStreamBuffer = 256 << 10;
constexpr long kAnswerBuffer = 64 << 10;
// libcurl accepts no smaller buffer than 16 KiB. 64 KiB stay in the processor's cache while they
// are read, encrypted and sent: an upload of 1 GB took 0.65 s, and 1.2 s with 256 KiB.
constexpr uint64_t kMinUploadBuffer = 16 << 10;
constexpr uint64_t kMaxUploadBuffer = 64 << 10;
// Google's servers send far less. Limits the memory that a faulty server can use.
constexpr size_t kMaxHeaderBytes = 256 << 10;
constexpr size_t kMaxHeaderLineBytes = 100 << 10;  // libcurl's own limit
constexpr std::chrono::milliseconds kProgressInterval{1000};

// The value as one line. libcurl passes on the line ends of folded headers and single LFs, which
// RFC 9112, section 5.2, and RFC 9110, section 5.5, replace by spaces.
std::string HeaderValue(absl::string_view value) {
  return std::string(
      absl::StripAsciiWhitespace(absl::StrReplaceAll(value, {{"\r", " "}, {"\n", " "}})));
}

long Milliseconds(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) return 0;  // libcurl's "no limit"
  return static_cast<long>(std::clamp<int64_t>(absl::ToInt64Milliseconds(duration), 1, 1 << 30));
}

// Sets options and keeps the first error.
class Options {
 public:
  explicit Options(CURL* easy) : easy_(easy) {}
  void Number(CURLoption option, long value) { Keep(curl_easy_setopt(easy_, option, value)); }
  template <typename Value>
  void Pointer(CURLoption option, Value* value) {
    Keep(curl_easy_setopt(easy_, option, value));
  }
  CURLcode code() const { return code_; }

 private:
  void Keep(CURLcode code) {
    if (code_ == CURLE_OK) code_ = code;
  }
  CURL* const easy_;
  CURLcode code_ = CURLE_OK;
};

curl_socket_t OpenSocket(void*, curlsocktype, curl_sockaddr* address) {
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

void SetConnection(const HttpRequest& request, const CurlRoute& route, Options& options) {
  options.Pointer(CURLOPT_PROTOCOLS_STR, "http,https");
  options.Number(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  options.Number(CURLOPT_FOLLOWLOCATION, 0);
  options.Number(CURLOPT_PATH_AS_IS, 1);
  options.Number(CURLOPT_NOSIGNAL, 1);
  options.Number(CURLOPT_TCP_NODELAY, 1);
  options.Number(CURLOPT_TCP_KEEPALIVE, 1);
  // Without this, the end of an exchange waits for a name server that does not answer.
  options.Number(CURLOPT_QUICK_EXIT, 1);
  options.Pointer(CURLOPT_OPENSOCKETFUNCTION, &OpenSocket);
  options.Number(CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(request.connect_timeout - route.spent));
  options.Number(CURLOPT_TIMEOUT_MS, Milliseconds(request.timeout - route.spent));
  if (route.addresses != nullptr) options.Pointer(CURLOPT_RESOLVE, route.addresses.get());
  options.Number(CURLOPT_BUFFERSIZE, request.on_body ? kStreamBuffer : kAnswerBuffer);
  options.Number(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
  if (request.accept_compressed) options.Pointer(CURLOPT_ACCEPT_ENCODING, "gzip");
  if (request.bypass_proxy) options.Pointer(CURLOPT_NOPROXY, "*");

  options.Number(CURLOPT_SSL_VERIFYPEER, 1);
  options.Number(CURLOPT_SSL_VERIFYHOST, 2);
  options.Number(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  // Otherwise libcurl reads its default file for each connection. InstallRoots sets the roots.
  options.Pointer<const char>(CURLOPT_CAINFO, nullptr);
  options.Pointer<const char>(CURLOPT_CAPATH, nullptr);
}

}  // namespace

CurlExchange::CurlExchange(const HttpRequest& request, const HttpTarget& target,
                           const TrustedRoots& roots, const CurlRoute& route)
    : request_(request),
      target_(target),
      roots_(roots),
      route_(route),
      body_bytes_(BodyBytes(request)),
      last_transfer_(Steady::now()),
      last_progress_(last_transfer_) {}

absl::Status CurlExchange::SetOptions() {
  headers_ = MakeHeaderList(request_);
  if (headers_ == nullptr) return absl::ResourceExhaustedError("out of memory");
  Options options(easy_);
  SetConnection(request_, route_, options);
  options.Pointer(CURLOPT_URL, request_.url.c_str());
  options.Pointer(CURLOPT_HTTPHEADER, headers_.get());
  options.Pointer(CURLOPT_ERRORBUFFER, detail_.data());

  if (request_.method == "HEAD") {
    options.Number(CURLOPT_NOBODY, 1);
  } else if (request_.method != "GET") {
    options.Number(CURLOPT_POST, 1);
    options.Pointer(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    options.Number(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<long>(body_bytes_));
    options.Number(CURLOPT_UPLOAD_BUFFERSIZE,
                   static_cast<long>(std::clamp(body_bytes_, kMinUploadBuffer, kMaxUploadBuffer)));
  }

  void* const self = this;
  if (!route_.resolve) {
    options.Pointer(CURLOPT_RESOLVER_START_DATA, self);
    options.Pointer(
        CURLOPT_RESOLVER_START_FUNCTION, +[](void*, void*, void* exchange) -> int {
          static_cast<CurlExchange*>(exchange)->StopAtNameLookup();
          return 1;
        });
  }
  options.Pointer(CURLOPT_PREREQDATA, self);
  options.Pointer(
      CURLOPT_PREREQFUNCTION, +[](void* exchange, char*, char*, int, int) -> int {
        return static_cast<CurlExchange*>(exchange)->BeforeSend() ? CURL_PREREQFUNC_OK
                                                                  : CURL_PREREQFUNC_ABORT;
      });
  options.Pointer(CURLOPT_SSL_CTX_DATA, self);
  options.Pointer(
      CURLOPT_SSL_CTX_FUNCTION, +[](CURL*, void* context, void* exchange) -> CURLcode {
        return static_cast<CurlExchange*>(exchange)->InstallRoots(static_cast<SSL_CTX*>(context))
                   ? CURLE_OK
                   : CURLE_ABORTED_BY_CALLBACK;
      });
  options.Pointer(CURLOPT_HEADERDATA, self);
  options.Pointer(
      CURLOPT_HEADERFUNCTION, +[](char* data, size_t, size_t size, void* exchange) -> size_t {
        return static_cast<CurlExchange*>(exchange)->OnHeaderLine({data, size}) ? size : 0;
      });
  options.Pointer(CURLOPT_WRITEDATA, self);
  options.Pointer(
      CURLOPT_WRITEFUNCTION, +[](char* data, size_t, size_t size, void* exchange) -> size_t {
        auto& receiver = *static_cast<CurlExchange*>(exchange);
        if (size == 0) return 0;
        return receiver.OnResponseBody(absl::string_view(data, size)) ? size : 0;
      });
  options.Pointer(CURLOPT_READDATA, self);
  options.Pointer(
      CURLOPT_READFUNCTION, +[](char* buffer, size_t size, size_t count, void* exchange) -> size_t {
        size_t given = 0;
        auto& sender = *static_cast<CurlExchange*>(exchange);
        return sender.ReadRequestBody(buffer, size * count, given) ? given : CURL_READFUNC_ABORT;
      });
  if (options.code() == CURLE_OK) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("libcurl: ", curl_easy_strerror(options.code())));
}

absl::StatusOr<HttpResponse> CurlExchange::Run(CURLM* multi, CURL* easy) {
  easy_ = easy;
  RETURN_IF_ERROR(SetOptions());
  if (const CURLMcode code = curl_multi_add_handle(multi, easy); code != CURLM_OK) {
    return absl::InternalError(absl::StrCat("libcurl: ", curl_multi_strerror(code)));
  }
  const absl::StatusOr<CURLcode> code = Drive(multi);
  // Finish needs the handle's state. Removing the handle closes the connection if the exchange is
  // incomplete.
  absl::StatusOr<HttpResponse> response =
      code.ok() ? Finish(*code) : absl::StatusOr<HttpResponse>(code.status());
  (void)curl_multi_remove_handle(multi, easy);
  curl_easy_reset(easy);  // removes the pointers to this object
  return response;
}

absl::StatusOr<CURLcode> CurlExchange::Drive(CURLM* multi) {
  while (true) {
    int running = 0;
    CURLMcode code = curl_multi_perform(multi, &running);
    if (code == CURLM_OK && running == 0) {
      int left = 0;
      const CURLMsg* message = curl_multi_info_read(multi, &left);
      if (message != nullptr && message->msg == CURLMSG_DONE) return message->data.result;
      return absl::InternalError("libcurl gives no result of the request");
    }
    if (code == CURLM_OK) {
      RETURN_IF_ERROR(CheckLimits());
      code = Wait(multi);
    }
    if (code != CURLM_OK) {
      return Transient(absl::UnavailableError(
                           absl::StrCat(target_.host, ": libcurl: ", curl_multi_strerror(code))),
                       MaybeApplied());
    }
  }
}

absl::Status CurlExchange::CheckLimits() {
  if (request_.cancel != nullptr && request_.cancel->cancelled()) return Cancelled();
  const Time now = Steady::now();
  // A few bytes do not count as progress, because a proxy may send some to keep a dead connection.
  const int64_t min_bytes = std::max<int64_t>(absl::ToInt64Seconds(request_.stall_timeout), 1);
  const curl_off_t moved = BytesMoved();
  if (moved < bytes_moved_ || moved - bytes_moved_ >= min_bytes) {
    bytes_moved_ = moved;
    last_transfer_ = now;
  } else if (absl::FromChrono(now - last_transfer_) >= request_.stall_timeout) {
    const std::string much = moved == bytes_moved_ ? "no byte" : "almost no byte";
    return Transient(
        absl::DeadlineExceededError(absl::StrCat(target_.host, ": ", much, " moved for ",
                                                 absl::FormatDuration(request_.stall_timeout))),
        MaybeApplied());
  }
  if (now - last_progress_ < kProgressInterval) return absl::OkStatus();
  last_progress_ = now;
  return request_.on_progress ? request_.on_progress() : absl::OkStatus();
}

CURLMcode CurlExchange::Wait(CURLM* multi) const {
  const Time now = Steady::now();
  absl::Duration wait = absl::FromChrono(last_progress_ + kProgressInterval - now);
  wait = std::min(wait, request_.stall_timeout - absl::FromChrono(now - last_transfer_));
  curl_waitfd cancelled{-1, CURL_WAIT_POLLIN, 0};
  if (request_.cancel != nullptr) {
    cancelled.fd = request_.cancel->fd();
    // Without a descriptor, check the token ten times a second.
    if (cancelled.fd < 0) wait = std::min(wait, absl::Milliseconds(100));
  }
  const int64_t milliseconds = absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1)));
  return curl_multi_poll(multi, &cancelled, cancelled.fd >= 0 ? 1 : 0,
                         static_cast<int>(std::max<int64_t>(milliseconds, 0)), nullptr);
}

absl::StatusOr<HttpResponse> CurlExchange::Finish(CURLcode code) {
  if (!error_.ok()) return error_;
  if (code == CURLE_OK) {
    if (!head_complete_) return ConnectionLost();
    if (!head_read_ && !ReadResponseHead()) return error_;
    return std::move(response_);
  }
  CurlFailure failure;
  failure.code = code;
  failure.proxy = route_.proxy;
  failure.tls_detail = detail_.data();
  // libcurl reports a header line that is too long with this code.
  if (code == CURLE_OUT_OF_MEMORY && HasSentBytes() && !head_complete_) {
    return TooLarge("a header line", kMaxHeaderLineBytes);
  }
  if (stopped_at_name_) {
    needed_name_ = code == CURLE_COULDNT_RESOLVE_PROXY ? NeededName::kProxy : NeededName::kHost;
  }
  (void)curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &failure.os_error);
  (void)curl_easy_getinfo(easy_, CURLINFO_HTTP_CONNECTCODE, &failure.connect_code);
  failure.sent = HasSentBytes();
  failure.maybe_applied = MaybeApplied();
  return MakeCurlError(request_, target_.host, roots_.origin, failure);
}

bool CurlExchange::BeforeSend() {
  if (!proxy_head_bytes_) proxy_head_bytes_ = HeadBytesSent();
  if (!HasSentBytes() || IsSafeMethod(request_.method)) return true;
  return Fail(ConnectionLost());
}

void CurlExchange::StopAtNameLookup() {
  // As in BeforeSend: the kept connection was dead, and libcurl wants to repeat the request.
  stopped_at_name_ = !HasSentBytes() || IsSafeMethod(request_.method);
  if (!stopped_at_name_) (void)Fail(ConnectionLost());
}

bool CurlExchange::OnHeaderLine(absl::string_view line) {
  head_bytes_ += line.size();
  if (head_bytes_ > kMaxHeaderBytes) return Fail(TooLarge("headers", kMaxHeaderBytes));
  // libcurl accepts a truncated head as complete.
  if (absl::StartsWith(line, "HTTP/")) head_complete_ = false;
  if (line == "\r\n" || line == "\n") head_complete_ = true;
  return true;
}

bool CurlExchange::InstallRoots(SSL_CTX* context) {
  const absl::StatusOr<X509_STORE*> store = roots_.store();
  if (!store.ok()) return Fail(Annotate(store.status(), target_.host));
  SSL_CTX_set1_cert_store(context, *store);
  return true;
}

bool CurlExchange::ReadResponseHead() {
  head_read_ = true;
  long status = 0;
  (void)curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  // libcurl may report a status for a malformed status line.
  if (status < 200 || status > 599) return Fail(ConnectionLost());
  response_.status = static_cast<int>(status);
  const curl_header* header = nullptr;
  while ((header = curl_easy_nextheader(easy_, CURLH_HEADER, -1,
                                        const_cast<curl_header*>(header))) != nullptr) {
    // libcurl passes on any text before a colon as a name.
    if (IsToken(header->name)) {
      response_.headers.Add(header->name, HeaderValue(header->value));
    }
  }
  return true;
}

bool CurlExchange::OnResponseBody(absl::string_view piece) {
  // With a fast stream, libcurl does not return to Drive's loop, which checks the token.
  if (request_.cancel != nullptr && request_.cancel->cancelled()) return Fail(Cancelled());
  if (!head_read_ && !ReadResponseHead()) return false;
  if (request_.on_body && response_.status >= 200 && response_.status < 300) {
    return Fail(request_.on_body(response_, piece));
  }
  if (piece.size() > request_.max_body_bytes - response_.body.size()) {
    return Fail(TooLarge("a response", request_.max_body_bytes));
  }
  response_.body.append(piece.data(), piece.size());
  return true;
}

bool CurlExchange::ReadRequestBody(char* buffer, size_t capacity, size_t& count) {
  if (request_.cancel != nullptr && request_.cancel->cancelled()) return Fail(Cancelled());
  const auto wanted = size_t{std::min<uint64_t>(capacity, body_bytes_ - body_bytes_read_)};
  count = wanted;
  if (wanted == 0) return true;
  if (!request_.body_source) {
    std::memcpy(buffer, request_.body.data() + body_bytes_read_, wanted);
  } else {
    const absl::StatusOr<size_t> got = request_.body_source(buffer, wanted);
    if (!got.ok()) return Fail(got.status());
    if (*got == 0) {
      return Fail(
          absl::AbortedError(absl::StrCat(target_.host, ": the source of the body ended at ",
                                          body_bytes_read_, " of ", body_bytes_, " bytes")));
    }
    count = *got;
  }
  body_bytes_read_ += count;
  return true;
}

bool CurlExchange::Fail(absl::Status error) {
  if (error_.ok()) error_ = std::move(error);
  return error_.ok();
}

absl::Status CurlExchange::Cancelled() const {
  return absl::CancelledError(absl::StrCat(target_.host, ": ", request_.cancel->reason()));
}

absl::Status CurlExchange::ConnectionLost() const {
  return Transient(absl::UnavailableError(
                       absl::StrCat(target_.host, ": the connection was lost before the answer")),
                   MaybeApplied());
}

// Transient, because Google's servers never send so much. A proxy has answered, and the next
// attempt may reach the server.
absl::Status CurlExchange::TooLarge(absl::string_view what, size_t bytes) const {
  return Transient(absl::ResourceExhaustedError(
                       absl::StrCat(target_.host, ": ", what, " of more than ", bytes, " bytes")),
                   MaybeApplied());
}

curl_off_t CurlExchange::BytesMoved() const {
  curl_off_t up = 0;
  curl_off_t down = 0;
  long head_up = 0;
  long head_down = 0;
  (void)curl_easy_getinfo(easy_, CURLINFO_SIZE_UPLOAD_T, &up);
  (void)curl_easy_getinfo(easy_, CURLINFO_SIZE_DOWNLOAD_T, &down);
  (void)curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &head_up);
  (void)curl_easy_getinfo(easy_, CURLINFO_HEADER_SIZE, &head_down);
  return up + down + head_up + head_down;
}

long CurlExchange::HeadBytesSent() const {
  long head = 0;
  (void)curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &head);
  return head;
}

// The bytes of a CONNECT request to a proxy do not count, because the server does not get them.
bool CurlExchange::HasSentBytes() const {
  return proxy_head_bytes_ && (HeadBytesSent() > *proxy_head_bytes_ || body_bytes_read_ > 0);
}

bool CurlExchange::MaybeApplied() const {
  return HasSentBytes() && body_bytes_read_ == body_bytes_;
}

}  // namespace sparkles
