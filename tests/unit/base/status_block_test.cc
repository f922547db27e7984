#include "base/status_block.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

constexpr TerminalSize kSize = {20, 4};
const std::string kErase = StatusBlock::EraseBytes(0);

TEST(StatusBlockTest, RowsAreOverwrittenBelowEmptyRow) {
  StatusBlock block;
  EXPECT_EQ(block.Show({"one", "two"}, kSize), "\r\x1b[K\n\rone\x1b[K\n\rtwo\x1b[J\r\x1b[2A");
  EXPECT_TRUE(block.shown());
}

TEST(StatusBlockTest, LinesWithoutRoomAreLeftOut) {
  EXPECT_EQ(StatusBlock().Show({"1", "2", "3", "4", "5"}, kSize),
            StatusBlock().Show({"1", "2", "3"}, kSize));
  EXPECT_EQ(StatusBlock().Show({"1", "2"}, {20, 1}), StatusBlock().Show({"1"}, kSize));
}

TEST(StatusBlockTest, SameBlockIsWrittenOnce) {
  StatusBlock block;
  const std::string drawn = block.Show({"one"}, kSize);
  EXPECT_EQ(block.Show({"one"}, kSize), "");
  EXPECT_EQ(block.Show({"one"}, {21, 4}), drawn);
  block.Forget();
  EXPECT_EQ(block.Show({"one"}, {21, 4}), drawn);
}

TEST(StatusBlockTest, BlockIsRemovedOnce) {
  StatusBlock block;
  EXPECT_EQ(block.Remove(), "");
  block.Show({"one"}, kSize);
  EXPECT_EQ(block.Remove(), kErase);
  EXPECT_FALSE(block.shown());
  EXPECT_EQ(block.Remove(), "");
  block.Show({"one"}, kSize);
  EXPECT_EQ(block.Show({}, kSize), kErase);
}

TEST(StatusBlockTest, TextIsPrintedAboveBlock) {
  StatusBlock block;
  EXPECT_EQ(block.PrintAbove("x\n", kSize), "x\n");
  const std::string drawn = block.Show({"one", "two"}, kSize);
  EXPECT_EQ(block.PrintAbove("x\n", kSize), absl::StrCat(kErase, "x\n", drawn));
}

TEST(StatusBlockTest, BlockOfAnotherSizeIsRemoved) {
  StatusBlock block;
  block.Show({"one"}, kSize);
  EXPECT_EQ(block.PrintAbove("x\n", {19, 4}), absl::StrCat(kErase, "x\n"));
  EXPECT_EQ(block.PrintAbove("y\n", {19, 4}), "y\n");
}

TEST(StatusBlockTest, ShorterDumbLineCoversLongerOne) {
  StatusBlock block;
  EXPECT_EQ(block.ShowDumb("12345", kSize), "\r12345\r");
  EXPECT_EQ(block.ShowDumb("123", kSize), "\r123  \r");
  EXPECT_EQ(block.ShowDumb("123", kSize), "");
  EXPECT_EQ(block.PrintAbove("x\n", kSize), "\r   \rx\n\r123\r");
  EXPECT_EQ(block.Remove(), "\r   \r");
}

}  // namespace
}  // namespace sparkles
