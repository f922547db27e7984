#include "storage/content_type.h"

#include <gtest/gtest.h>

#include <string>

namespace sparkles {
namespace {

TEST(ContentTypeTest, ExtensionDeterminesType) {
  EXPECT_EQ(ContentTypeOfName("job/1/stdout.txt"), "text/plain; charset=utf-8");
  EXPECT_EQ(ContentTypeOfName("result.json"), "application/json");
  EXPECT_EQ(ContentTypeOfName("a.csv"), "text/csv; charset=utf-8");
  EXPECT_EQ(ContentTypeOfName("a.PNG"), "image/png");
  EXPECT_EQ(ContentTypeOfName("a.JPeG"), "image/jpeg");
  EXPECT_EQ(ContentTypeOfName("reads.vcf"), "text/plain; charset=utf-8");
  EXPECT_EQ(ContentTypeOfName("a.b/c.h5"), "application/x-hdf5");
}

TEST(ContentTypeTest, CompressedFilesHaveTheirOwnType) {
  for (const char* name : {"x.csv.gz", "x.vcf.gz", "x.tar.gz", "x.tgz", "x.json.GZ"}) {
    EXPECT_EQ(ContentTypeOfName(name), "application/gzip") << name;
  }
  EXPECT_EQ(ContentTypeOfName("x.txt.zst"), "application/zstd");
}

TEST(ContentTypeTest, UnknownExtensionsGiveNoType) {
  for (const char* name : {"", "README", ".gz", "dir/.txt", "a.csv/b", "a.", "a.unknown", "txt",
                           "a.txt ", "a.txt\n", "a.csv~"}) {
    EXPECT_EQ(ContentTypeOfName(name), "") << name;
  }
}

TEST(ContentTypeTest, SignatureDeterminesType) {
  EXPECT_EQ(SniffContentType("\x89PNG\r\n\x1A\n..."), "image/png");
  EXPECT_EQ(SniffContentType("GIF89a..."), "image/gif");
  EXPECT_EQ(SniffContentType("\xFF\xD8\xFF\xE0"), "image/jpeg");
  EXPECT_EQ(SniffContentType("%PDF-1.7"), "application/pdf");
  EXPECT_EQ(SniffContentType("\x1F\x8B\x08..."), "application/gzip");
  EXPECT_EQ(SniffContentType("PK\x03\x04..."), "application/zip");
  EXPECT_EQ(SniffContentType("\x89HDF\r\n\x1A\n"), "application/x-hdf5");
  EXPECT_EQ(SniffContentType(std::string("II*\0", 4)), "image/tiff");
  EXPECT_EQ(SniffContentType("II*"), "text/plain; charset=utf-8");
}

TEST(ContentTypeTest, TextHasNoControlBytes) {
  for (const std::string text :
       {"", "a", "a\tb\r\n\f\x1B[31m", "\xC3\xA4", "caf\xE9", "<notes>", "PK", "GIF"}) {
    EXPECT_EQ(SniffContentType(text), "text/plain; charset=utf-8") << text;
  }
  for (const char byte : {'\0', '\x01', '\x08', '\x0B', '\x0E', '\x1A', '\x1C', '\x1F'}) {
    EXPECT_EQ(SniffContentType(std::string("text") + byte), "application/octet-stream");
  }
}

TEST(ContentTypeTest, MarkupIsFoundAfterWhiteSpace) {
  EXPECT_EQ(SniffContentType(" \n<!DOCTYPE HTML><p>"), "text/html; charset=utf-8");
  EXPECT_EQ(SniffContentType("<html>"), "text/html; charset=utf-8");
  EXPECT_EQ(SniffContentType("<?xml version=\"1.0\"?>"), "text/xml; charset=utf-8");
}

TEST(ContentTypeTest, OnlyTheFirst512BytesCount) {
  EXPECT_EQ(SniffContentType(std::string(512, 'a') + '\0'), "text/plain; charset=utf-8");
  EXPECT_EQ(SniffContentType(std::string(511, 'a') + '\0'), "application/octet-stream");
}

}  // namespace
}  // namespace sparkles
