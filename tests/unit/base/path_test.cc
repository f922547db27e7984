#include "base/path.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

std::string Cleaned(absl::string_view path) {
  const absl::StatusOr<std::string> clean = CleanRelativePath(path);
  return clean.ok() ? *clean : "(refused)";
}

TEST(CleanRelativePath, ResolvesDotsAndSlashesAsText) {
  EXPECT_EQ(Cleaned("a/b"), "a/b");
  EXPECT_EQ(Cleaned("./a//b/"), "a/b");
  EXPECT_EQ(Cleaned("a/./b//../c"), "a/c");
  EXPECT_EQ(Cleaned("a/b/../.."), ".");
  EXPECT_EQ(Cleaned(""), ".");
  EXPECT_EQ(Cleaned("./"), ".");
}

TEST(CleanRelativePath, UnusualNamesAreKept) {
  EXPECT_EQ(Cleaned("..."), "...");
  EXPECT_EQ(Cleaned("..a/.b"), "..a/.b");
  EXPECT_EQ(Cleaned(" /\xff\n"), " /\xff\n");
}

TEST(CleanRelativePath, PathsThatLeadOutsideAreRefused) {  // D08
  for (const absl::string_view path : {"/", "/etc/passwd", "//a", "..", "../a", "a/../..",
                                       "a/../../b", "./..", "a/b/../../../c"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CleanRelativePath(path).status())) << path;
  }
}

TEST(CleanRelativePath, NulIsRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(CleanRelativePath(absl::string_view("a\0b", 3)).status()));
}

class CheckInsideTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(MakeDirectories(root_).ok());
    ASSERT_TRUE(MakeDirectories(root_ + "/real").ok());
    ASSERT_TRUE(MakeDirectories(temp_ / "outside").ok());
    // A sibling whose name starts with the name of the root is outside too.
    ASSERT_TRUE(MakeDirectories(root_ + "-other").ok());
  }
  void Link(const std::string& target, const std::string& name) {
    ASSERT_EQ(symlink(target.c_str(), (root_ + "/" + name).c_str()), 0);
  }
  bool Inside(const std::string& name) const { return CheckInside(root_, root_ + "/" + name).ok(); }

  const TempDirectory temp_;
  const std::string root_ = temp_ / "root";
};

TEST_F(CheckInsideTest, RootAndPathsBelowAreInside) {
  EXPECT_TRUE(CheckInside(root_, root_).ok());
  EXPECT_TRUE(Inside("."));
  EXPECT_TRUE(Inside("real"));
}

TEST_F(CheckInsideTest, MissingPartsAreAllowed) {
  EXPECT_TRUE(Inside("new"));
  EXPECT_TRUE(Inside("real/new/er/file.txt"));
}

TEST_F(CheckInsideTest, LinksThatStayInsideAreAllowed) {
  Link("real", "near");
  Link(".", "self");
  EXPECT_TRUE(Inside("near/new"));
  EXPECT_TRUE(Inside("self/self/near"));
}

TEST_F(CheckInsideTest, LinksThatLeadOutsideAreRefused) {  // D08
  Link("../outside", "relative");
  Link(temp_ / "outside", "absolute");
  Link("../root-other", "sibling");
  Link("/", "slash");
  for (const char* name : {"relative", "absolute", "absolute/new/file", "sibling", "slash/tmp"}) {
    const absl::Status status = CheckInside(root_, root_ + "/" + name);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << name << ": " << status;
  }
}

TEST_F(CheckInsideTest, DanglingLinkIsRefused) {
  // To create the file would follow the link to its target.
  Link(temp_ / "outside/not-there-yet", "dangling");
  EXPECT_FALSE(Inside("dangling"));
  EXPECT_FALSE(Inside("dangling/file"));
  Link("loop", "loop");
  EXPECT_FALSE(Inside("loop"));
}

TEST_F(CheckInsideTest, ConcurrentlyMadeDirectoryIsAllowed) {
  constexpr int kThreads = 4;
  constexpr int kDirectories = 2000;
  std::barrier round(kThreads);
  std::atomic<int> refused = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kDirectories; ++n) {
        const std::string directory = absl::StrCat(root_, "/", n);
        round.arrive_and_wait();
        if (!CheckInside(root_, directory).ok() || !MakeDirectories(directory).ok()) ++refused;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused, 0);
}

TEST_F(CheckInsideTest, RootMayBeReachedThroughLink) {
  ASSERT_EQ(symlink("root", (temp_ / "alias").c_str()), 0);
  EXPECT_TRUE(CheckInside(temp_ / "alias", temp_ / "alias/real/new").ok());
  EXPECT_FALSE(CheckInside(temp_ / "alias", temp_ / "outside").ok());
}

}  // namespace
}  // namespace sparkles
