#include "gcp/gcs_object.h"

#include <gtest/gtest.h>

#include <string>

#include "base/crc32c.h"

namespace sparkles {
namespace {

TEST(GcsObject, UrlsKeepObjectNameExactly) {
  for (const std::string name :
       {"a", "/a", "a//b", "../a", "a/../b", "a b+c%20#?&=", "\xC3\xA4", "a\tb", "...", "-"}) {
    const auto parsed = ParseGcsUrl("gs://my-bucket_1.x/" + name);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->bucket, "my-bucket_1.x");
    EXPECT_EQ(parsed->object, name);
  }
  EXPECT_TRUE(ParseGcsUrl("gs://b/" + std::string(1024, 'x')).ok());
}

TEST(GcsObject, InvalidUrlsAreRefused) {
  for (const std::string url :
       {"", "gs://", "gs://b", "gs://b/", "gs:///a", "file:///a", "gs://b/a/", "gs://b/.",
        "gs://b/..", "gs://b/a\nb", "gs://b/a\rb", "gs://b/\xFF", "gs://b c/a", "gs://b?x/a",
        "gs://./a", "gs://../a"}) {
    const absl::Status status = ParseGcsUrl(url).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << url;
    EXPECT_EQ(status.message().find_first_of("\r\n"), absl::string_view::npos);
  }
  EXPECT_FALSE(ParseGcsUrl("gs://b/" + std::string(1025, 'x')).ok());
  EXPECT_FALSE(ParseGcsUrl("gs://" + std::string(223, 'x') + "/a").ok());
}

TEST(GcsObject, ChecksumsAreBigEndianBase64) {
  EXPECT_EQ(FormatCrc32c(Crc32c("hello")), "mnG7TA==");  // the form of Google's tools
  EXPECT_EQ(FormatCrc32c(0), "AAAAAA==");
  for (const uint32_t crc : {0U, 1U, 0x80000000U, 0xFFFFFFFFU, 0x12345678U}) {
    EXPECT_EQ(ParseCrc32c(FormatCrc32c(crc)), crc);
  }
  for (const char* text : {"", "AAAA", "AAAAAAAA", "!!!!!!==", "mnG7TA=a"}) {
    EXPECT_EQ(ParseCrc32c(text), std::nullopt) << text;
  }
}

TEST(GcsObject, ChecksumComesFromAnyHashHeader) {
  HttpHeaders one;
  one.Add("x-goog-hash", "crc32c=mnG7TA==,md5=XUFAKrxLKna5cZ2REBfFkg==");
  HttpHeaders two;
  two.Add("X-Goog-Hash", "md5=XUFAKrxLKna5cZ2REBfFkg==");
  two.Add("X-Goog-Hash", " crc32c=mnG7TA==");
  EXPECT_EQ(FindCrc32c(one), Crc32c("hello"));
  EXPECT_EQ(FindCrc32c(two), Crc32c("hello"));
  EXPECT_EQ(FindCrc32c({}), std::nullopt);
}

TEST(GcsObject, NumbersMayBeText) {
  for (const char* json : {R"({"size":"5","generation":"7","crc32c":"mnG7TA==","x":[{}]})",
                           R"({"size":5,"generation":7,"crc32c":"mnG7TA=="})"}) {
    const auto object = ParseGcsObject(json);
    ASSERT_TRUE(object.ok()) << object.status();
    EXPECT_EQ(object->size, 5U);
    EXPECT_EQ(object->generation, 7);
    EXPECT_EQ(object->crc32c, Crc32c("hello"));
    EXPECT_FALSE(object->encoded);
  }
}

TEST(GcsObject, EmptyObjectMayLackSize) {
  const auto object = ParseGcsObject(R"({"generation":"7","crc32c":"AAAAAA=="})");
  ASSERT_TRUE(object.ok()) << object.status();
  EXPECT_EQ(object->size, 0U);
}

TEST(GcsObject, IncompleteResourceIsDataLoss) {
  for (const char* json : {"", "{", "[]", "null", "{}", R"({"size":"5","generation":"7"})",
                           R"({"generation":"7","crc32c":"mnG7TA=="})",
                           R"({"size":null,"generation":"7","crc32c":"AAAAAA=="})",
                           R"({"size":"-5","generation":"7","crc32c":"mnG7TA=="})",
                           R"({"size":"5","generation":"0","crc32c":"mnG7TA=="})",
                           R"({"size":"5","generation":"9223372036854775808","crc32c":"mnG7TA=="})",
                           R"({"size":"5 ","generation":"7","crc32c":"mnG7TA=="})",
                           R"({"size":5.5,"generation":"7","crc32c":"mnG7TA=="})",
                           R"({"size":"5","generation":"7","crc32c":"mnG7T"})"}) {
    EXPECT_TRUE(absl::IsDataLoss(ParseGcsObject(json).status())) << json;
  }
}

TEST(GcsObject, MalformedContentRangesAreRefused) {
  const auto range = ParseContentRange("bytes 5-9/20");
  ASSERT_TRUE(range.has_value());
  EXPECT_EQ(range->first, 5U);
  EXPECT_EQ(range->last, 9U);
  EXPECT_EQ(range->total, 20U);
  EXPECT_TRUE(ParseContentRange("bytes 5-9/*").has_value());
  for (const char* text : {"", "bytes */20", "bytes 9-5/20", "bytes 5-20/20", "bytes 5-9", "5-9/20",
                           "bytes 5-9/20/1", "bytes -9/20", "bytes 5-/20", "bytes +5-9/20"}) {
    EXPECT_FALSE(ParseContentRange(text).has_value()) << text;
  }
}

TEST(GcsObject, MalformedKeptRangesAreRefused) {
  const auto kept = [](const char* text) {
    HttpHeaders headers;
    headers.Add("range", text);
    return ParseKeptBytes(headers);
  };
  EXPECT_EQ(ParseKeptBytes({}), 0U);
  EXPECT_EQ(kept("bytes=0-41"), 42U);
  for (const char* text :
       {"", "bytes=1-41", "0-41", "bytes=0-", "bytes=0-x", "bytes=0-18446744073709551615"}) {
    EXPECT_EQ(kept(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace sparkles
