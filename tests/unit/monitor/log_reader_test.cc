#include "monitor/log_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <limits>
#include <string>

#include "base/file.h"
#include "base/text.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

// Characters of every length, with the first and the last of each length.
constexpr char kText[] = "a\x7F\u00E9\u0800\uD7FF\uFFFF\U00010000\U0010FFFF\u6F22z";

TEST(WithoutPartialCharacterTest, PrefixIsCutToWholeCharacters) {
  const std::string text = kText;
  ASSERT_TRUE(IsUtf8(text));
  for (size_t length = 0; length <= text.size(); ++length) {
    const std::string prefix = text.substr(0, length);
    const size_t whole = WithoutPartialCharacter(prefix);
    EXPECT_TRUE(IsUtf8(prefix.substr(0, whole))) << length;
    EXPECT_LT(length - whole, 4U) << length;
    EXPECT_TRUE(!IsUtf8(prefix) || whole == length) << length;
  }
}

TEST(WithoutPartialCharacterTest, InvalidUtf8IsReturnedUnchanged) {
  for (const std::string end :
       {"\x80", "\xBF", "\x80\x80\x80\x80", "\xC0", "\xC1", "\xE0\x80", "\xE0\x9F", "\xED\xA0",
        "\xF0\x8F", "\xF0\x80\x80", "\xF4\x90", "\xF5", "\xFF", "\xE4\xB8\xAD\x80", "\xC3("}) {
    EXPECT_EQ(WithoutPartialCharacter("x" + end), 1 + end.size()) << PrintableText(end);
  }
}

class ReadLogTest : public testing::Test {
 protected:
  void Write(absl::string_view text) { ASSERT_TRUE(WriteAll(fd_.get(), text, "log").ok()); }

  LogPiece Read(int64_t offset, size_t size, bool ended = false) {
    return ReadLog(fd_.get(), offset, size, ended).value();
  }

  // Reads the whole log in pieces. Each piece must make progress.
  std::string ReadAll(size_t size, bool ended) {
    std::string all;
    while (true) {
      const LogPiece piece = Read(static_cast<int64_t>(all.size()), size, ended);
      all += piece.data;
      EXPECT_EQ(piece.new_offset, static_cast<int64_t>(all.size()));
      if (piece.at_end) return all;
      EXPECT_FALSE(piece.data.empty());
      if (piece.data.empty()) return all;
    }
  }

  TempDirectory directory_;
  UniqueFd fd_ = OpenFile(directory_ / "log", O_CREAT | O_RDWR | O_APPEND).value();
};

TEST_F(ReadLogTest, PiecesJoinToWholeLog) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += kText;
  Write(text);
  for (size_t size = 1; size < 70; ++size) EXPECT_EQ(ReadAll(size, false), text) << size;
}

TEST_F(ReadLogTest, EveryPieceIsValidUtf8) {
  Write(kText);
  const std::string text = kText;
  for (size_t size = 1; size <= text.size(); ++size) {
    size_t offset = 0;
    while (offset < text.size()) {
      const LogPiece piece = Read(static_cast<int64_t>(offset), size);
      EXPECT_TRUE(IsUtf8(piece.data)) << size << " at " << offset;
      EXPECT_LE(piece.data.size(), std::max<size_t>(size, 4));
      offset += piece.data.size();
    }
  }
}

TEST_F(ReadLogTest, RandomBytesKeepTheirLength) {
  std::string noise;
  uint32_t state = 1;
  for (int i = 0; i < 3000; ++i) {
    state = state * 1664525 + 1013904223;
    noise += static_cast<char>(state >> 24);
  }
  Write(noise + "\n");
  for (const size_t size : std::initializer_list<size_t>{1, 2, 3, 4, 5, 64, 1000}) {
    const std::string text = ReadAll(size, false);
    EXPECT_TRUE(IsUtf8(text)) << size;
    ASSERT_EQ(text.size(), noise.size() + 1) << size;
    for (size_t i = 0; i < noise.size(); ++i) {
      EXPECT_TRUE(text[i] == noise[i] || text[i] == '?') << size << " at " << i;
    }
  }
}

TEST_F(ReadLogTest, PartialCharacterIsAwaited) {
  Write("x\xE6\xBC");
  const LogPiece first = Read(0, 100);
  EXPECT_EQ(first.data, "x");
  EXPECT_TRUE(first.at_end);
  EXPECT_EQ(Read(1, 100).data, "");
  EXPECT_TRUE(Read(1, 100).at_end);
  Write("\xA2");
  EXPECT_EQ(Read(1, 100).data, "\u6F22");
}

TEST_F(ReadLogTest, BrokenCharacterBecomesQuestionMarks) {
  Write("x\xE6\xBC");
  EXPECT_EQ(Read(1, 100).data, "");
  Write("y");
  EXPECT_EQ(Read(1, 100).data, "?\?y");
  EXPECT_EQ(Read(1, 1).data, "?");
}

TEST_F(ReadLogTest, SmallPiecesAwaitPartialCharacter) {
  Write("ab\xF0\x9F\xA7");
  for (size_t size = 1; size <= 6; ++size) {
    EXPECT_EQ(Read(2, size).data, "") << size;
    EXPECT_TRUE(Read(2, size).at_end) << size;  // else the client asks again at once
    EXPECT_EQ(ReadAll(size, /*ended=*/false), "ab") << size;
  }
  EXPECT_EQ(Read(2, 1, /*ended=*/true).data, "?");
  Write("\xAC\n");
  for (size_t size = 1; size <= 4; ++size) EXPECT_EQ(Read(2, size).data, "\U0001F9EC") << size;
}

TEST_F(ReadLogTest, OffsetInsideCharacterGivesQuestionMarks) {
  Write("\u6F22\U0001F9EC\u00E9z");
  EXPECT_EQ(Read(1, 100).data, "?\?\U0001F9EC\u00E9z");
  EXPECT_EQ(Read(2, 100).data, "?\U0001F9EC\u00E9z");
  EXPECT_EQ(Read(2, 1).data, "?");
  EXPECT_EQ(Read(4, 2).data, "?\?");
  EXPECT_EQ(Read(6, 3).data, "?\u00E9");
  EXPECT_EQ(Read(8, 100).data, "?z");
  EXPECT_EQ(Read(8, 100, /*ended=*/true).data, "?z");
}

TEST_F(ReadLogTest, OffsetInPartialCharacterIsNotAwaited) {
  Write("x\xF0\x9F");
  EXPECT_EQ(Read(2, 100).data, "?");
  EXPECT_EQ(Read(2, 100, /*ended=*/true).data, "?");
  Write("\xA7\xACz");
  EXPECT_EQ(Read(3, 100).data, "?\?z");
}

TEST_F(ReadLogTest, MalformedBytesBecomeQuestionMarks) {
  Write("\xE6\xBCy\xC0\x80\xED\xA0\x80\u00E9z");
  EXPECT_EQ(Read(0, 100).data, "?\?y?\?\?\?\?\u00E9z");
  EXPECT_EQ(Read(1, 100).data, "?y?\?\?\?\?\u00E9z");
  EXPECT_EQ(Read(4, 100).data, "?\?\?\?\u00E9z");
}

TEST_F(ReadLogTest, EndedTaskGivesPartialCharacter) {
  Write("x\xE6\xBC");
  EXPECT_EQ(Read(0, 100, /*ended=*/true).data, "x?\?");
  EXPECT_EQ(ReadAll(1, /*ended=*/true), "x?\?");
}

TEST_F(ReadLogTest, LastPieceReportsEnd) {
  Write("0123456789");
  EXPECT_FALSE(Read(0, 9).at_end);
  EXPECT_TRUE(Read(0, 10).at_end);
  EXPECT_TRUE(Read(0, 11).at_end);
  EXPECT_TRUE(Read(9, 1).at_end);
}

TEST_F(ReadLogTest, OffsetBeyondEndGivesNothing) {
  Write("0123456789");
  EXPECT_EQ(Read(10, 100).new_offset, 10);
  EXPECT_FALSE(Read(10, 100).was_cut);
  for (const int64_t offset : {int64_t{10}, int64_t{11}, std::numeric_limits<int64_t>::max()}) {
    EXPECT_EQ(Read(offset, 100).data, "");
    EXPECT_TRUE(Read(offset, 100).at_end);
  }
}

TEST_F(ReadLogTest, TruncatedLogRestartsAtZero) {
  Write("a long line\n");
  ASSERT_EQ(ftruncate(fd_.get(), 0), 0);
  Write("new\n");
  const LogPiece piece = Read(12, 100);
  EXPECT_EQ(piece.data, "");
  EXPECT_TRUE(piece.was_cut);
  EXPECT_EQ(piece.new_offset, 0);
}

TEST_F(ReadLogTest, EmptyLogIsAtEnd) {
  EXPECT_TRUE(Read(0, 100).at_end);
  EXPECT_EQ(Read(0, 100).new_offset, 0);
}

TEST_F(ReadLogTest, UnreadableLogIsError) { EXPECT_FALSE(ReadLog(-1, 0, 10, false).ok()); }

}  // namespace
}  // namespace sparkles
