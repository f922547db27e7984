#include "gcp/http_date.h"

#include <gtest/gtest.h>

#include "tests/support/scripted_transport.h"

namespace sparkles {
namespace {

constexpr char kNoon[] = "Sat, 31 Jan 2026 12:00:00 GMT";

std::optional<absl::Duration> Parse(absl::string_view value, absl::string_view date = kNoon) {
  return ParseRetryAfter(
      MakeResponse(503, "", {{"Retry-After", std::string(value)}, {"Date", std::string(date)}}));
}

TEST(HttpDateTest, OnlyStandardFormIsAccepted) {
  EXPECT_EQ(ParseHttpDate(kNoon), absl::FromUnixSeconds(1'769'860'800));
  for (const char* text : {"", "yesterday", "31 Jan 2026 12:00:00", "2026-01-31T12:00:00Z"}) {
    EXPECT_EQ(ParseHttpDate(text), std::nullopt) << text;
  }
}

TEST(HttpDateTest, MissingDateHeaderGivesNoTime) {
  EXPECT_EQ(ServerTime(MakeResponse(200)), std::nullopt);
  EXPECT_EQ(ServerTime(MakeResponse(200, "", {{"date", kNoon}})), ParseHttpDate(kNoon));
}

TEST(RetryAfterTest, SecondsAndDatesAreRead) {
  EXPECT_EQ(Parse("12"), absl::Seconds(12));
  EXPECT_EQ(Parse("Sat, 31 Jan 2026 12:00:30 GMT"), absl::Seconds(30));
}

TEST(RetryAfterTest, IsNeverNegative) {
  EXPECT_EQ(Parse("Sat, 31 Jan 2026 11:00:00 GMT"), absl::ZeroDuration());
  EXPECT_EQ(Parse("-3"), std::nullopt);
}

TEST(RetryAfterTest, InvalidValuesAreIgnored) {
  EXPECT_EQ(Parse("soon"), std::nullopt);
  EXPECT_EQ(Parse("Sat, 31 Jan 2026 12:00:30 GMT", "now"), std::nullopt);
  EXPECT_EQ(ParseRetryAfter(MakeResponse(503)), std::nullopt);
}

}  // namespace
}  // namespace sparkles
