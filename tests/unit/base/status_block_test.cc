#include "base/status_block.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

constexpr absl::string_view kErase = StatusBlock::kErase;
constexpr TerminalSize kSize = {20, 4};

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

TEST(StatusBlockTest, NoLinesRemoveBlockOnce) {
  StatusBlock block;
  EXPECT_EQ(block.Show({}, kSize), "");
  block.Show({"one"}, kSize);
  EXPECT_EQ(block.Show({}, kSize), kErase);
  EXPECT_FALSE(block.shown());
  EXPECT_EQ(block.Show({}, kSize), "");
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

}  // namespace
}  // namespace sparkles
