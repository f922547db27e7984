#include "base/text.h"

#include <gtest/gtest.h>

namespace sparkles {
namespace {

TEST(Utf8LengthTest, ReturnsLengthOfFirstCharacter) {
  EXPECT_EQ(Utf8Length("a"), 1U);
  EXPECT_EQ(Utf8Length("\xC3\xA4!"), 2U);
  EXPECT_EQ(Utf8Length("\xE2\x82\xAC!"), 3U);
  EXPECT_EQ(Utf8Length("\xF0\x9F\x92\xA1!"), 4U);
  EXPECT_EQ(Utf8Length(absl::string_view("\0", 1)), 1U);
}

TEST(Utf8LengthTest, BoundaryCharactersAreAccepted) {
  for (const absl::string_view text :
       {"\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEF\xBF\xBF",
        "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(Utf8Length(text), text.size()) << PrintableText(text);
  }
}

TEST(Utf8LengthTest, MalformedBytesAreRefused) {
  const absl::string_view malformed[] = {
      "",
      "\x80",              // a continuation byte alone
      "\xC0\xAF",          // overlong
      "\xC1\xBF",          // overlong
      "\xE0\x9F\xBF",      // overlong
      "\xF0\x8F\xBF\xBF",  // overlong
      "\xED\xA0\x80",      // a surrogate
      "\xF4\x90\x80\x80",  // beyond U+10FFFF
      "\xF5\x80\x80\x80",  // beyond U+10FFFF
      "\xFF",
      "\xC3",          // cut
      "\xE2\x82",      // cut
      "\xF0\x9F\x92",  // cut
      "\xC3(",         // no continuation
      "\xE2\x82(",     // no continuation
  };
  for (const absl::string_view text : malformed) EXPECT_EQ(Utf8Length(text), 0U) << text.size();
}

TEST(IsUtf8Test, WholeTextIsChecked) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("M\xC3\xA4rz"));
  EXPECT_FALSE(IsUtf8("M\xE4rz"));
  EXPECT_FALSE(IsUtf8("ends early \xC3"));
}

TEST(HasControlCharacterTest, AllControlCharactersAreFound) {
  for (int c = 0; c < 128; ++c) {
    const char text[] = {'a', static_cast<char>(c), 'b'};
    EXPECT_EQ(HasControlCharacter({text, 3}), c < 0x20 || c == 0x7F) << c;
  }
  EXPECT_FALSE(HasControlCharacter("M\xC3\xA4rz \xFF"));
  EXPECT_FALSE(HasControlCharacter(""));
}

TEST(CutTextTest, ShortTextIsUnchanged) {
  EXPECT_EQ(CutText("twelve bytes", 12), "twelve bytes");
  EXPECT_EQ(CutText("", 0), "");
}

TEST(CutTextTest, LengthNeverExceedsLimit) {
  EXPECT_EQ(CutText("twelve bytes", 11), "twe ... tes");
  for (size_t limit = 0; limit < 12; ++limit) {
    EXPECT_EQ(CutText("twelve bytes", limit).size(), limit);
  }
}

TEST(CutTextTest, CharactersAreNotSplit) {
  const std::string euros = "\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC";
  for (size_t limit = 0; limit < euros.size(); ++limit) {
    EXPECT_TRUE(IsUtf8(CutText(euros, limit))) << limit;
    EXPECT_LE(CutText(euros, limit).size(), limit);
  }
  EXPECT_EQ(CutText(euros, 9), " ... ");
  EXPECT_EQ(CutText(euros, 11), "\xE2\x82\xAC ... \xE2\x82\xAC");
}

TEST(CutTextTest, KeepsBothEnds) {
  const std::string path(1000, 'x');
  const std::string cut = CutText("gs://bucket/" + path + ": no such object", 100);
  EXPECT_EQ(cut.size(), 100U);
  EXPECT_TRUE(cut.starts_with("gs://bucket/xxx"));
  EXPECT_TRUE(cut.ends_with("xxx: no such object"));
}

TEST(PrintableTextTest, MakesOneWellFormedLine) {
  EXPECT_EQ(PrintableText("plain M\xC3\xA4rz"), "plain M\xC3\xA4rz");
  EXPECT_EQ(PrintableText("a\nb\tc\rd"), "a\\nb\\tc\\x0dd");
  EXPECT_EQ(PrintableText("\x1b[2J\x7f"), "\\x1b[2J\\x7f");
  EXPECT_EQ(PrintableText(absl::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(PrintableText("\xE2\x82(\xFF"), "\\xe2\\x82(\\xff");
}

TEST(HumanBytesTest, RoundsToThreeDigitsAtMost) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(312), "312 B");
  EXPECT_EQ(HumanBytes(999), "999 B");
  EXPECT_EQ(HumanBytes(1000), "1.0 KB");
  EXPECT_EQ(HumanBytes(17'400), "17.4 KB");
  EXPECT_EQ(HumanBytes(312'000), "312 KB");
  EXPECT_EQ(HumanBytes(1.5e9), "1.5 GB");
}

TEST(HumanBytesTest, ThousandMovesToNextUnit) {
  EXPECT_EQ(HumanBytes(999'600), "1.0 MB");
  EXPECT_EQ(HumanBytes(99'960), "100 KB");
  EXPECT_EQ(HumanBytes(999.7), "1.0 KB");
}

TEST(HumanBytesTest, LargestUnitIsPetabyte) { EXPECT_EQ(HumanBytes(5e18), "5000 PB"); }

}  // namespace
}  // namespace sparkles
