// A GcsClient with scripted responses, and the usual responses of Cloud Storage.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cancel.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "gcp/api_client.h"
#include "gcp/gcs_client.h"
#include "gcp/gcs_object.h"
#include "http/transient.h"
#include "tests/support/fake_clock.h"
#include "tests/support/scripted_transport.h"

namespace sparkles {

class GcsFixture : public testing::Test {
 protected:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  // The resource of an object with `content`.
  static HttpResponse Resource(absl::string_view content, int64_t generation) {
    return MakeResponse(
        200, absl::StrCat(R"({"size":")", content.size(), R"(","generation":")", generation,
                          R"(","crc32c":")", FormatCrc32c(Crc32c(content)), R"("})"));
  }

  // The response for an object or bucket that does not exist.
  static HttpResponse Missing() {
    return MakeResponse(404, R"({"error":{"code":404,"message":"No such object: b/d/o"}})");
  }

  // The HTML page of a proxy or captive portal between the worker and Cloud Storage.
  static HttpResponse Page(int status) {
    return MakeResponse(status, "<html>log in to the hotel's network</html>");
  }

  // A download of `whole` of which only `part` arrives.
  static HttpResponse Media(int status, absl::string_view whole, absl::string_view part,
                            int64_t generation = 7, const Headers& more = {}) {
    HttpResponse response = MakeResponse(status, part, more);
    response.headers.Add("X-Goog-Hash", "crc32c=" + FormatCrc32c(Crc32c(whole)));
    response.headers.Add("X-Goog-Generation", absl::StrCat(generation));
    response.headers.Add("X-Goog-Stored-Content-Length", absl::StrCat(whole.size()));
    return response;
  }

  // The rest of `whole` from the byte `first`.
  static HttpResponse Rest(absl::string_view whole, size_t first, int64_t generation = 7) {
    return Media(206, whole, whole.substr(first), generation,
                 {{"Content-Range",
                   absl::StrCat("bytes ", first, "-", whole.size() - 1, "/", whole.size())}});
  }

  static absl::Status Broken() {
    return Transient(absl::UnavailableError("connection reset"), /*maybe_applied=*/true);
  }

  static std::string Header(const HttpRequest& request, absl::string_view name) {
    const std::string* const value = request.headers.Find(name);
    return value != nullptr ? *value : "";
  }

  static std::string Text(size_t size) {
    std::string text(size, '\0');
    for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
    return text;
  }

  // Answers every request with `page`.
  class Portal : public HttpTransport {
   public:
    explicit Portal(HttpResponse page) : page_(std::move(page)) {}
    absl::StatusOr<HttpResponse> Send(const HttpRequest& request) override {
      HttpResponse response = page_;
      const bool good = page_.status >= 200 && page_.status < 300;
      if (!good || !request.on_body) return response;
      response.body.clear();
      RETURN_IF_ERROR(request.on_body(response, page_.body));
      return response;
    }

   private:
    const HttpResponse page_;
  };

  // A transfer that receives only `page` must retry for minutes and then return a machine fault.
  template <typename Transfer>
  void ExpectLongRetry(HttpResponse page, Transfer transfer) {
    SCOPED_TRACE(page.status);
    Portal portal(std::move(page));
    ApiClient api({"http://gcs", nullptr}, portal, clock_);
    GcsClient client(api, clock_);
    const absl::Time start = clock_.Now();
    const absl::Status status = transfer(client);
    EXPECT_TRUE(IsMachineFault(status)) << status;
    EXPECT_GE(clock_.Now() - start, absl::Minutes(4)) << status;
  }

  ScriptedTransport server_;
  FakeClock clock_;
  CancelToken cancel_;
  uint64_t moved_ = 0;
  Heartbeat heartbeat_;
  ApiClient api_{{"http://gcs", nullptr}, server_, clock_};
  GcsClient client_{api_, clock_};
  const GcsName name_{"b", "d/o"};
  const Activity activity_{cancel_, &heartbeat_, [this](uint64_t bytes) { moved_ += bytes; }};
};

}  // namespace sparkles
