// An HTTP transport that plays back scripted exchanges and fails the test at any other request.
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

// Thread-safe. Each scripted exchange names its request by a part of "METHOD URL" (empty: any). A
// request takes the oldest exchange that matches. The test fails at a request without a match, and
// if exchanges are left at the end.
class ScriptedTransport : public HttpTransport {
 public:
  // Answers a request. `request` has its whole body in `body`.
  using Exchange = std::function<absl::StatusOr<HttpResponse>(const HttpRequest& request)>;

  ~ScriptedTransport() override;

  void Answer(absl::string_view expected, HttpResponse response);
  // No response. Network errors are absl::Status marked by Transient (http/transient.h).
  void Fail(absl::string_view expected, absl::Status error);
  // The response breaks off: on_body gets the body of `part`, then Send returns `error`.
  void BreakOff(absl::string_view expected, HttpResponse part, absl::Status error);
  // Calls `exchange` without a lock on the sending thread.
  void Do(absl::string_view expected, Exchange exchange);
  // Reads this many bytes of the request's body_source, then Send returns `error`.
  void FailUpload(absl::string_view expected, size_t bytes_sent, absl::Status error);

  // All requests so far, oldest first, each with its body (as far as it was sent) in `body`. The
  // functions and the cancel token are removed.
  std::vector<HttpRequest> requests() const;
  // "METHOD URL" of each request.
  std::vector<std::string> lines() const;

  absl::StatusOr<HttpResponse> Send(const HttpRequest& request) override;

 private:
  struct Scripted {
    std::string expected;
    Exchange exchange;
    size_t bytes_sent = SIZE_MAX;
    absl::Status broken;  // the error after the body was delivered
  };

  void Add(Scripted scripted);
  absl::StatusOr<Scripted> Take(const HttpRequest& request);

  mutable Mutex mutex_;
  std::deque<Scripted> script_ ABSL_GUARDED_BY(mutex_);
  std::vector<HttpRequest> requests_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sparkles
