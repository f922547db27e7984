#include "executor/script_output.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "tests/support/recorded_log.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class LogScriptOutputTest : public testing::Test {
 protected:
  std::string Logged(const std::string& output) {
    auto file = OpenFile(directory_ / "output", O_RDWR | O_CREAT | O_TRUNC);
    EXPECT_TRUE(file.ok()) << file.status();
    EXPECT_TRUE(WriteAll(file->get(), output, "output").ok());
    LogScriptOutput(recorded_.log(), "pre-exec-script", file->get());
    return recorded_.Text();
  }

  TempDirectory directory_;
  RecordedLog recorded_;
};

TEST_F(LogScriptOutputTest, EachLineNamesTheScript) {
  EXPECT_THAT(Logged("one\n\ntwo"),
              AllOf(HasSubstr("pre-exec-script: one\n"), HasSubstr("pre-exec-script: two\n")));
}

TEST_F(LogScriptOutputTest, LongOutputKeepsBothEnds) {
  std::string output;
  for (int line = 10'000; line < 40'000; ++line) absl::StrAppend(&output, "line ", line, "\n");
  const std::string text = Logged(output);
  // A line has 11 bytes, so 5957 lines fit into 64 KiB.
  EXPECT_THAT(text, AllOf(HasSubstr(": line 10000\n"), HasSubstr(": line 15956\n"),
                          Not(HasSubstr("line 15957")), Not(HasSubstr("line 34042")),
                          HasSubstr(": line 34043\n"), HasSubstr(": line 39999\n")));
  EXPECT_THAT(text, HasSubstr(absl::StrCat("... ", (34'043 - 15'957) * 11, " bytes are left out")));
}

TEST_F(LogScriptOutputTest, OneLongLineKeepsBothEnds) {
  const std::string text = Logged("begin" + std::string(300'000, 'x') + "end");
  EXPECT_THAT(text, AllOf(HasSubstr(": beginxx"), HasSubstr("xxend\n")));
}

}  // namespace
}  // namespace sparkles
