#include "base/file_url.h"

#include <gtest/gtest.h>

#include <string>

namespace sparkles {
namespace {

TEST(FileUrl, PathIsKeptByteForByte) {
  for (const std::string path : {"/a", "/a/b c", "/a%20b", "/\xFF", "/a//b", "/a/...", "/.b#c?d"}) {
    const auto parsed = ParseFileUrl("file://" + path);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, path);
    EXPECT_EQ(MakeFileUrl(path), "file://" + path);
  }
}

TEST(FileUrl, InvalidFileUrlsAreRefused) {
  const std::string with_nul = std::string("file:///a") + '\0' + "b";
  for (const std::string& url :
       {std::string(""), std::string("/a"), std::string("gs://b/o"), std::string("FILE:///a"),
        std::string("file:/a"), std::string("file://"), std::string("file:///"),
        std::string("file://host/a"), std::string("file://a"), std::string("file:///a/"),
        std::string("file:///../a"), std::string("file:///a/../b"), std::string("file:///a/.."),
        with_nul}) {
    const absl::Status status = ParseFileUrl(url).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << url << " " << status;
    EXPECT_EQ(status.message().substr(0, url.size() + 2), url + ": ");
  }
}

TEST(CanonicalUrl, EquivalentUrlsBecomeEqual) {
  for (const std::string url : {"file:///a/b", "file:////a//b", "file:///./a/./b"}) {
    EXPECT_EQ(CanonicalUrl(url), "file:///a/b");
  }
  EXPECT_EQ(CanonicalUrl("gs://b/a//./c"), "gs://b/a//./c");
  EXPECT_EQ(CanonicalUrl(""), "");
}

TEST(UrlsConflict, FileConflictsWithPathsBelow) {
  EXPECT_TRUE(UrlsConflict("file:///a/b", "file:///a/b"));
  EXPECT_TRUE(UrlsConflict("file:///a/b", "file:///a/b/c"));
  EXPECT_TRUE(UrlsConflict("file:///a/b/c/d", "file:///a/b"));
  EXPECT_FALSE(UrlsConflict("file:///a/b", "file:///a/bc"));
  EXPECT_FALSE(UrlsConflict("file:///a/b", "gs://a/b"));
  EXPECT_TRUE(UrlsConflict("gs://a/b", "gs://a/b"));
  EXPECT_FALSE(UrlsConflict("gs://a/b", "gs://a/b/c")) << "both can be objects";
}

}  // namespace
}  // namespace sparkles
