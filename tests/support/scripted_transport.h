// An HTTP transport that plays back what a test wrote, and fails the test if anything else is sent.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "http/transport.h"

namespace sparkles {

HttpResponse MakeResponse(int status, absl::string_view body = "",
                          const std::vector<std::pair<std::string, std::string>>& headers = {});

// Thread-safe. Every scripted exchange names the request it is for by a part of "METHOD URL"
// (empty: any); a request takes the oldest one that fits. A request that none fits, and exchanges
// that are left over at the end, are failures of the test.
class ScriptedTransport : public HttpTransport {
 public:
  // What a request gets: `request` has its whole body in `body`.
  using Exchange = std::function<absl::StatusOr<HttpResponse>(const HttpRequest& request)>;

  ~ScriptedTransport() override;

  void Answer(absl::string_view expected, HttpResponse response);
  // No response. Network trouble is absl::Status marked by Transient (http/transient.h).
  void Fail(absl::string_view expected, absl::Status error);
  // The response breaks off: on_body gets the body of `part`, then Send returns `error`.
  void BreakOff(absl::string_view expected, HttpResponse part, absl::Status error);
  // `exchange` runs without a lock, on the thread that sends.
  void Do(absl::string_view expected, Exchange exchange);
  // Only so many bytes of the request's body_source are asked for, then Send returns `error`.
  void FailUpload(absl::string_view expected, size_t bytes_sent, absl::Status error);

  // All requests so far, oldest first, each with its whole body (as far as it was sent) in `body`;
  // the functions and the cancel token are gone.
  std::vector<HttpRequest> requests() const;
  // "METHOD URL" of each.
  std::vector<std::string> lines() const;

  absl::StatusOr<HttpResponse> Send(const HttpRequest& request) override;

 private:
  struct Scripted {
    std::string expected;
    Exchange exchange;
    size_t bytes_sent = SIZE_MAX;
    absl::Status broken;  // after the body was delivered
  };

  void Add(Scripted scripted);
  absl::StatusOr<Scripted> Take(const HttpRequest& request);

  mutable Mutex mutex_;
  std::deque<Scripted> script_ ABSL_GUARDED_BY(mutex_);
  std::vector<HttpRequest> requests_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sparkles
