#include "http/url.h"

#include <gtest/gtest.h>

namespace sparkles {
namespace {

TEST(Url, ReservedBytesArePercentEncoded) {
  EXPECT_EQ(PercentEncode("AZaz09-._~"), "AZaz09-._~");
  EXPECT_EQ(PercentEncode("/a//../b c"), "%2Fa%2F%2F..%2Fb%20c");
  EXPECT_EQ(PercentEncode("#?%+&=;:@,$!*'()[]\"\\"),
            "%23%3F%25%2B%26%3D%3B%3A%40%2C%24%21%2A%27%28%29%5B%5D%22%5C");
  EXPECT_EQ(PercentEncode("\xc3\xa9\xf0\x9f\x8e\x86"), "%C3%A9%F0%9F%8E%86");
  EXPECT_EQ(PercentEncode(absl::string_view("\0\r\n\x7f", 4)), "%00%0D%0A%7F");
  EXPECT_EQ(PercentEncode(""), "");
}

TEST(Url, QueriesEncodeNamesAndValues) {
  EXPECT_EQ(MakeQuery({}), "");
  EXPECT_EQ(MakeQuery({{"name", "a/b&c=d"}, {"x y", ""}}), "name=a%2Fb%26c%3Dd&x%20y=");
}

TEST(Url, OnlyHttpUrlsAreAccepted) {
  for (const char* url :
       {"http://h", "https://h:1/o?x=y%20z", "http://[::1]:8080/", "http://a_b"}) {
    EXPECT_TRUE(IsHttpUrl(url)) << url;
  }
  for (const char* url : {"", "h:1", "ftp://h", "http://", "http:///o", "http://?x", "http://h/#f",
                          "http://h /o", "http://h/\n", "https://h\xC3\xA9", "HTTP://h"}) {
    EXPECT_FALSE(IsHttpUrl(url)) << url;
  }
}

}  // namespace
}  // namespace sparkles
