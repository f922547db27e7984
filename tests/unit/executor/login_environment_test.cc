#include "executor/login_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::Contains;
using testing::StartsWith;
using testing::UnorderedElementsAre;

constexpr char kPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

class LoginEnvironmentTest : public testing::Test {
 protected:
  std::vector<std::string> With(std::vector<std::string> variables) const {
    AddLoginVariables("/t", "/t/tmp", [this] { return user_; }, variables);
    return variables;
  }

  TempDirectory home_;
  LoginUser user_ = {"ada", home_.path()};
};

TEST_F(LoginEnvironmentTest, MissingAndEmptyVariablesAreSet) {
  EXPECT_THAT(With({"HOME=", "TMPDIR=", "LANG="}),
              UnorderedElementsAre(absl::StrCat("HOME=", home_.path()), "USER=ada", "LOGNAME=ada",
                                   "SHELL=/bin/sh", "TMPDIR=/t/tmp", kPath, "LANG="));
}

TEST_F(LoginEnvironmentTest, ImageVariablesAreKept) {
  const std::vector<std::string> variables = {"HOME=/h", "USER=u",  "LOGNAME=l",
                                              "SHELL=s", "PATH=/p", "TMPDIR=/tmp"};
  EXPECT_EQ(With(variables), variables);
}

TEST_F(LoginEnvironmentTest, UnusableHomeIsReplaced) {
  for (const std::string& home :
       {std::string("/nonexistent"), std::string("/dev/null"), std::string()}) {
    user_.home = home;
    EXPECT_THAT(With({}), Contains("HOME=/t"));
  }
}

TEST_F(LoginEnvironmentTest, NamelessUserGetsNumericName) {
  user_ = {};
  EXPECT_THAT(With({}), Contains(absl::StrCat("USER=", geteuid())));
  EXPECT_THAT(With({"USER=u"}), Contains("LOGNAME=u"));
  EXPECT_THAT(With({"LOGNAME=l"}), Contains("USER=l"));
}

TEST_F(LoginEnvironmentTest, LongTaskPathLeavesTmpdirUnset) {
  std::vector<std::string> variables;
  AddLoginVariables("/t", "/" + std::string(75, 'x'), [this] { return user_; }, variables);
  EXPECT_THAT(variables, testing::Not(Contains(StartsWith("TMPDIR="))));
}

TEST(FindLoginUserTest, CurrentUserIsFound) {
  if (geteuid() != 0) GTEST_SKIP() << "only root has the same name everywhere";
  EXPECT_EQ(FindLoginUser().name, "root");
}

}  // namespace
}  // namespace sparkles
