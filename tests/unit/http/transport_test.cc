#include "http/transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sparkles {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(HttpHeaders, NamesAreFoundInAnyCase) {
  HttpHeaders headers;
  headers.Add("X-Goog-Hash", "crc32c=a");
  headers.Add("x-goog-hash", "md5=b");
  headers.Add("ETag", "e");
  ASSERT_NE(headers.Find("X-GOOG-HASH"), nullptr);
  EXPECT_EQ(*headers.Find("X-GOOG-HASH"), "crc32c=a");
  EXPECT_THAT(headers.All("X-Goog-Hash"), ElementsAre("crc32c=a", "md5=b"));
  EXPECT_EQ(headers.Find("X-Goog"), nullptr);
  EXPECT_THAT(headers.All("Range"), IsEmpty());
}

}  // namespace
}  // namespace sparkles
