// Fuzzes the parsers of answers from token endpoints and APIs. An accepted token must be valid in a
// header and expire, and every error must be one printable line.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/ascii.h"
#include "base/text.h"
#include "gcp/api_error.h"
#include "gcp/http_date.h"
#include "gcp/token_endpoint.h"
#include "tests/fuzz/require.h"

namespace sparkles {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'769'860'800);

void CheckToken(const absl::StatusOr<AccessToken>& token) {
  if (!token.ok()) {
    Require(absl::IsInvalidArgument(token.status()), "a bad answer is InvalidArgument");
    return;
  }
  Require(!token->value.empty(), "there is a token");
  Require(std::all_of(token->value.begin(), token->value.end(), absl::ascii_isgraph),
          "a token fits into a header");
  Require(token->expiry >= kNow + absl::Seconds(1), "a token lives");
  Require(token->expiry <= kNow + absl::Hours(24), "no token lives for ever");
}

void CheckError(absl::string_view body, int http_status) {
  HttpResponse response;
  response.status = http_status;
  response.body = std::string(body);
  response.headers.Add("Date", "Sat, 31 Jan 2026 12:00:00 GMT");
  response.headers.Add("Retry-After", body.substr(0, 40));
  const absl::Status error = MakeApiError(response, "host");
  Require(!error.ok(), "an error is an error");
  Require(!absl::IsCancelled(error), "no server cancels us");
  Require(!HasControlCharacter(error.message()), "an error is one line");
  Require(IsUtf8(error.message()), "an error is text");
  Require(error.message().size() < 8000, "an error can be read");
  const auto wait = ParseRetryAfter(response);
  Require(!wait || *wait >= absl::ZeroDuration(), "no wait is negative");
}

void Check(absl::string_view input) {
  CheckToken(ParseTokenResponse(input, kNow));
  CheckToken(ParseGeneratedToken(input, kNow));
  for (const int status : {400, 401, 403, 404, 409, 429, 503}) CheckError(input, status);
}

}  // namespace
}  // namespace sparkles

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sparkles::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
