#include "summary/table.h"

#include <gtest/gtest.h>

namespace sparkles {
namespace {

TEST(TableTest, CellsAlign) {
  EXPECT_EQ(FormatLines({"A\tBB\tC", "long\t\tx", "\xE4\xBB\xBB\t2\t"}, 0, {}),
            "A     BB  C\n"
            "long      x\n"
            "\xE4\xBB\xBB    2\n");
}

TEST(TableTest, LongCellsAreCutToWidth) {
  const std::vector<std::string> lines = {"TASK\tEXIT\tREASON",
                                          "job.12345678901\t0\tdownloads: no such file"};
  EXPECT_EQ(FormatLines(lines, 60, {0, 2}).find("..."), std::string::npos);
  EXPECT_EQ(FormatLines(lines, 40, {0, 2}),
            "TASK             EXIT  REASON\n"
            "job.12345678901  0     downloa...ch file\n");
  EXPECT_EQ(FormatLines(lines, 32, {0, 2}),
            "TASK          EXIT  REASON\n"
            "job.1...8901  0     downl...file\n");
}

TEST(TableTest, NarrowTerminalCutsLines) {
  EXPECT_EQ(FormatLines({"TASK\tSTATUS\tREASON", "job.1\tcomplete\tnone"}, 9, {0, 2}),
            "TASK   ST\njob.1  co\n");
}

}  // namespace
}  // namespace sparkles
