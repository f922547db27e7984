// A server and a clock for fuzz targets: each part of the input answers one request.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "http/transient.h"
#include "http/transport.h"

namespace sparkles {

// Sleeps take no time and move the clock.
class FuzzClock : public Clock {
 public:
  absl::Time Now() override { return now_; }
  bool Sleep(absl::Duration duration, const CancelToken& cancel) override {
    now_ += duration;
    return !cancel.cancelled();
  }

 private:
  absl::Time now_ = absl::FromUnixSeconds(1'769'860'800);
};

// The input is a list of answers, each ended by a line "%". An answer has the status in its first
// line, then headers up to an empty line, and then the body. Any other text, and the end of the
// input, break the connection.
class FuzzServer : public HttpTransport {
 public:
  explicit FuzzServer(absl::string_view input) : rest_(input) {}

  int answered() const { return answered_; }

  absl::StatusOr<HttpResponse> Send(const HttpRequest& request) override {
    if (request.body_source) {
      std::string buffer(4096, '\0');
      while (true) {
        const auto got = request.body_source(buffer.data(), buffer.size());
        if (!got.ok()) return got.status();
        if (*got == 0) break;
      }
    }
    absl::string_view answer = TakeUntil(rest_, "\n%\n");
    HttpResponse response;
    const absl::string_view status = TakeUntil(answer, "\n");
    if (!absl::SimpleAtoi(status, &response.status) || response.status < 200 ||
        response.status > 599) {
      return Transient(absl::UnavailableError("broken connection"), /*maybe_applied=*/true);
    }
    ++answered_;
    while (!answer.empty()) {
      absl::string_view line = TakeUntil(answer, "\n");
      if (line.empty()) break;
      const absl::string_view name = TakeUntil(line, ": ");
      response.headers.Add(name, line);
    }
    if (!request.on_body || response.status >= 300) {
      response.body = std::string(answer);
      return response;
    }
    while (!answer.empty()) {
      const absl::string_view piece = answer.substr(0, 7);
      answer.remove_prefix(piece.size());
      const absl::Status taken = request.on_body(response, piece);
      if (!taken.ok()) return taken;
    }
    return response;
  }

 private:
  // Takes the text before `mark`, and `mark` itself. Takes everything if there is no `mark`.
  static absl::string_view TakeUntil(absl::string_view& text, absl::string_view mark) {
    const size_t found = text.find(mark);
    const absl::string_view before = text.substr(0, found);
    text.remove_prefix(found == text.npos ? text.size() : found + mark.size());
    return before;
  }

  absl::string_view rest_;
  int answered_ = 0;
};

}  // namespace sparkles
