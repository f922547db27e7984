// Tests the format of a checkpoint's manifest, and that a broken manifest is refused.
#include "checkpoint/manifest.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace sparkles {
namespace {

SavedFile FileAt(const std::string& path, size_t index) {
  return {.path = path,
          .object = DataObjectName(2, "0123abcd", 7, index),
          .size = 5,
          .mode = 0640,
          .mtime = absl::FromUnixMicros(1'700'000'000'123'456),
          .crc32c = 4'000'000'000,
          .generation = 1'700'000'000'000'001};
}

Manifest Example() {
  return {.attempt = 2,
          .saved_at = absl::FromUnixMicros(1'700'000'001'000'002),
          .spec_sha256 = std::string(64, 'a'),
          .task_created = absl::FromUnixMillis(1'699'999'999'123),
          .files = {FileAt("model.bin", 0), FileAt("a/b \"c\"\n\xc3\xa9", 1)}};
}

// The example with `from` replaced by `to`.
absl::StatusOr<Manifest> ParseWith(const std::string& from, const std::string& to) {
  const std::string text = FormatManifest(Example());
  const std::string changed = absl::StrReplaceAll(text, {{from, to}});
  EXPECT_NE(changed, text) << from;
  return ParseManifest(changed);
}

TEST(Manifest, ParserReadsWhatFormatWrites) {
  const absl::StatusOr<Manifest> read = ParseManifest(FormatManifest(Example()));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->attempt, 2);
  EXPECT_EQ(read->saved_at, Example().saved_at);
  EXPECT_EQ(read->spec_sha256, Example().spec_sha256);
  EXPECT_EQ(read->task_created, Example().task_created);
  EXPECT_EQ(read->files, Example().files);
  EXPECT_EQ(TotalBytes(read->files), 10);
}

TEST(Manifest, EmptyCheckpointIsValid) {
  Manifest manifest = Example();
  manifest.files.clear();
  const absl::StatusOr<Manifest> read = ParseManifest(FormatManifest(manifest));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->files.empty());
}

TEST(Manifest, TextCutAnywhereIsRefused) {
  const std::string text = FormatManifest(Example());
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(ParseManifest(text.substr(0, size)).ok()) << size;
  }
}

TEST(Manifest, MissingOrWrongFieldIsRefused) {
  for (const char* field :
       {"version", "attempt", "saved_at_us", "spec_sha256", "task_created_us", "files", "path",
        "object", "size", "mode", "mtime_us", "crc32c", "generation"}) {
    EXPECT_FALSE(ParseWith(absl::StrCat("\"", field, "\""), "\"other\"").ok()) << field;
    EXPECT_FALSE(
        ParseWith(absl::StrCat("\"", field, "\":"), absl::StrCat("\"", field, "\":null,\"x\":"))
            .ok())
        << field;
  }
  EXPECT_FALSE(ParseWith("\"size\":5", "\"size\":-5").ok());
  EXPECT_FALSE(ParseWith("\"size\":5", "\"size\":9223372036854775807").ok());
  EXPECT_FALSE(ParseWith("\"mode\":416", "\"mode\":2541").ok());  // 0640 with setuid
  EXPECT_FALSE(ParseWith("4000000000", "5000000000").ok());
  EXPECT_FALSE(ParseWith("\"version\":1", "\"version\":2").ok());
  EXPECT_FALSE(ParseWith("\"attempt\":2", "\"attempt\":0").ok());
}

TEST(Manifest, PathOutsideDirectoryIsRefused) {
  for (const char* path : {"", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "x\\u0000y",
                           ".hidden", "a/.git/b", "part.tmp", "dir.tmp/file"}) {
    EXPECT_FALSE(ParseWith("model.bin", path).ok()) << path;
  }
}

TEST(Manifest, ConflictingPathsAreRefused) {
  Manifest manifest = Example();
  manifest.files[1].path = "model.bin";
  EXPECT_FALSE(ParseManifest(FormatManifest(manifest)).ok());
  manifest.files[1].path = "model.bin/x/y";
  EXPECT_FALSE(ParseManifest(FormatManifest(manifest)).ok());
  manifest.files[1].path = "model.bin-x/y";
  EXPECT_TRUE(ParseManifest(FormatManifest(manifest)).ok());
}

TEST(Manifest, ForeignObjectNameIsRefused) {
  const std::string name = DataObjectName(2, "0123abcd", 7, 0);
  for (const char* object : {"", "result.json", "../x", "data-2-0123abcd-7", "data-x-ab-7-0",
                             "data-2-0123/bcd-7-0", "manifest.json"}) {
    EXPECT_FALSE(ParseWith(name, object).ok()) << object;
  }
}

TEST(Manifest, ObjectNameHasAttemptAndTask) {
  const auto id = ParseDataObjectName(DataObjectName(12, "0123abcd4567", 7, 3));
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(id->attempt, 12);
  EXPECT_EQ(id->task_tag, "0123abcd");
  EXPECT_FALSE(ParseDataObjectName(kManifestName).has_value());
  EXPECT_NE(DataObjectName(1, "ab", 1, 11), DataObjectName(1, "ab", 11, 1));
}

TEST(Manifest, HiddenAndTemporaryNamesAreNotSaved) {
  EXPECT_TRUE(IsSavedName("model.bin"));
  EXPECT_TRUE(IsSavedName("x.tmpl"));
  EXPECT_FALSE(IsSavedName("model.bin.tmp"));
  EXPECT_FALSE(IsSavedName(".nfs0001"));
  EXPECT_FALSE(IsSavedName("\xff"));
}

}  // namespace
}  // namespace sparkles
