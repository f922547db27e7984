#include "base/display_width.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>

namespace sparkles {
namespace {

TEST(DisplayWidthTest, WideAndCombiningCharactersAreMeasured) {
  const std::pair<std::string, size_t> cases[] = {
      {"", 0},
      {"job.1", 5},
      {"j\xC3\xB6"
       "b",
       3},  // o with diaeresis
      {"jo\xCC\x88"
       "b",
       3},                                // o, combining diaeresis
      {"\xE4\xBB\xBB\xE5\x8A\xA1.1", 6},  // two CJK characters
      {"\xEA\xB0\x80", 2},                // a Hangul syllable
      {"\xF0\x9F\x9A\x80", 2},            // a rocket
      {"\xE2\x80\x8B", 0},                // zero width space
      {"a\xFF"
       "b",
       3},  // not UTF-8
      {"a\x01"
       "b",
       3},  // a control character
  };
  for (const auto& [text, width] : cases) EXPECT_EQ(DisplayWidth(text), width) << text;
}

TEST(DisplayWidthTest, CutKeepsStartAndEnd) {
  EXPECT_EQ(CutToWidth("job.1", 5), "job.1");
  EXPECT_EQ(CutToWidth("job.12345678", 9), "job...678");
  EXPECT_EQ(CutToWidth("job.12345678", 3), "...");
  EXPECT_EQ(CutToWidth("job.12345678", 0), "");
}

TEST(DisplayWidthTest, CutNeverExceedsWidth) {
  std::string text = "a\xFF";
  for (int i = 0; i < 10; ++i)
    text +=
        "\xE4\xBB\xBB"
        "b"
        "o\xCC\x88";
  for (size_t columns = 0; columns <= DisplayWidth(text) + 1; ++columns) {
    EXPECT_LE(DisplayWidth(CutToWidth(text, columns)), columns);
    EXPECT_LE(DisplayWidth(StartWithin(text, columns)), columns);
    EXPECT_GE(DisplayWidth(StartWithin(text, columns)) + 2, std::min(columns, DisplayWidth(text)));
  }
  EXPECT_EQ(StartWithin(text, 1000), text);
}

}  // namespace
}  // namespace sparkles
