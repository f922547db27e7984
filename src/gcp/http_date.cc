#include "gcp/http_date.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

namespace sparkles {

std::optional<absl::Time> ParseHttpDate(absl::string_view text) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", absl::StripAsciiWhitespace(text), &time,
                       &error)) {
    return std::nullopt;
  }
  return time;
}

std::optional<absl::Time> ServerTime(const HttpResponse& response) {
  const std::string* date = response.headers.Find("Date");
  return date == nullptr ? std::nullopt : ParseHttpDate(*date);
}

std::optional<absl::Duration> ParseRetryAfter(const HttpResponse& response) {
  const std::string* value = response.headers.Find("Retry-After");
  if (value == nullptr) return std::nullopt;
  uint32_t seconds = 0;
  if (absl::SimpleAtoi(*value, &seconds)) return absl::Seconds(seconds);
  const std::optional<absl::Time> until = ParseHttpDate(*value);
  const std::optional<absl::Time> now = ServerTime(response);
  if (!until || !now) return std::nullopt;
  return std::max(*until - *now, absl::ZeroDuration());
}

}  // namespace sparkles
