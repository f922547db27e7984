#include "doctor/directory_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "base/file.h"
#include "doctor/scratch_directory.h"
#include "tests/support/finding_text.h"
#include "tests/support/forbidden_calls.h"
#include "tests/support/sanitizers.h"
#include "tests/support/temp_directory.h"
#include "tests/support/unprivileged.h"

namespace sparkles {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class DirectoryChecksTest : public testing::Test {
 protected:
  std::string Check() {
    return FindingText([&](Findings& findings) { CheckDirectory(needs_, cancel_, findings); });
  }

  bool IsEmptyDirectory(const std::string& path) const { return std::filesystem::is_empty(path); }

  TempDirectory directory_;
  CancelToken cancel_;
  DirectoryNeeds needs_ = {.flag = "--tasksDir",
                           .path = directory_.path(),
                           .exec = true,
                           .locks = true,
                           .min_free_bytes = 1,
                           .cache_dir = directory_ / "cache"};
};

TEST_F(DirectoryChecksTest, UsualDirectoryHasNoFailure) {
  const std::string text = Check();
  EXPECT_THAT(text, AllOf(Not(HasSubstr("FAIL")),
                          HasSubstr("--tasksDir: " + directory_.path() + " is writable"),
                          HasSubstr("--tasksDir locks: work"), HasSubstr("--tasksDir symlinks"),
                          HasSubstr("--tasksDir exec"), HasSubstr("--tasksDir fsync: takes")));
  EXPECT_TRUE(IsEmptyDirectory(directory_.path()));
}

TEST_F(DirectoryChecksTest, LackOfDescriptorsLeavesNoFile) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need descriptors, too";
  rlimit usual;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &usual), 0);
  const rlimit none = {.rlim_cur = 0, .rlim_max = usual.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const std::string text = Check();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &usual), 0);
  EXPECT_THAT(text, HasSubstr("Too many open files"));
  EXPECT_TRUE(IsEmptyDirectory(directory_.path()));
}

TEST_F(DirectoryChecksTest, MissingDirectoryIsNotMade) {
  needs_.path = directory_ / "a/b/c/";
  EXPECT_THAT(Check(),
              AllOf(Not(HasSubstr("FAIL")), HasSubstr("can be made in " + directory_.path())));
  EXPECT_TRUE(IsEmptyDirectory(directory_.path()));
}

TEST_F(DirectoryChecksTest, FileInPathFails) {
  ASSERT_TRUE(WriteFileAtomically(directory_ / "file", "", false).ok());
  needs_.path = directory_ / "file";
  EXPECT_THAT(Check(), AllOf(HasSubstr("FAIL  --tasksDir: "), HasSubstr("file: not a directory")));
  needs_.path = directory_ / "file/below";
  EXPECT_THAT(Check(), HasSubstr("Not a directory"));
}

TEST_F(DirectoryChecksTest, DanglingLinkFails) {
  ASSERT_EQ(symlink("nowhere", (directory_ / "link").c_str()), 0);
  needs_.path = directory_ / "link";
  EXPECT_THAT(Check(), HasSubstr("FAIL  --tasksDir: "));
}

TEST_F(DirectoryChecksTest, UnwritableDirectoryFails) {
  const Unprivileged user(directory_.path());
  ASSERT_EQ(chmod(directory_.path().c_str(), 0500), 0);
  EXPECT_THAT(Check(), AllOf(ContainsRegex("FAIL  --tasksDir: .*Permission denied"),
                             HasSubstr("make the directory writable for uid")));
  ASSERT_EQ(chmod(directory_.path().c_str(), 0700), 0);
}

TEST_F(DirectoryChecksTest, LackOfSpaceFails) {
  needs_.min_free_bytes = uint64_t{1} << 60;
  EXPECT_THAT(Check(), AllOf(HasSubstr("FAIL  --tasksDir space: "), HasSubstr("--minFreeSpace is"),
                             HasSubstr("Remedy: remove files")));
}

TEST_F(DirectoryChecksTest, LackOfSpaceWarnsIfCacheCanShrink) {
  ASSERT_TRUE(MakeDirectories(needs_.cache_dir).ok());
  const std::string entry = needs_.cache_dir + "/" + std::string(64, 'a');
  ASSERT_TRUE(WriteFileAtomically(entry, "x", false).ok());
  needs_.min_free_bytes = uint64_t{1} << 60;
  EXPECT_THAT(Check(), HasSubstr("WARN  --tasksDir space: "));
  EXPECT_TRUE(std::filesystem::exists(entry));
}

TEST_F(DirectoryChecksTest, MissingFeaturesAreNamed) {
  std::vector<ForbiddenCall> calls = {{SYS_flock}, {SYS_symlinkat}};
#ifdef SYS_symlink
  calls.push_back({SYS_symlink});
#endif
  const std::optional<bool> named = InProcessWithout(calls, EOPNOTSUPP, [&] {
    const std::string text = Check();
    return absl::StrContains(text, "FAIL  --tasksDir locks: the file system has no locks") &&
           absl::StrContains(text, "WARN  --tasksDir symlinks: cannot be made");
  });
  if (!named.has_value()) GTEST_SKIP() << "no seccomp";
  EXPECT_TRUE(*named);
}

TEST_F(DirectoryChecksTest, CancelledCheckRemovesItsFiles) {
  cancel_.Cancel(CancelKind::kAbort, "stopped");
  EXPECT_THAT(Check(), HasSubstr("SKIP  --tasksDir: not checked: stopped"));
  EXPECT_TRUE(IsEmptyDirectory(directory_.path()));
}

TEST_F(DirectoryChecksTest, ScratchDirectoryIsRemovedOnce) {
  {
    absl::StatusOr<ScratchDirectory> scratch = ScratchDirectory::Create(directory_.path());
    ASSERT_TRUE(scratch.ok());
    const ScratchDirectory moved = *std::move(scratch);
    ASSERT_TRUE(WriteFileAtomically(moved / "file", "x", false).ok());
    EXPECT_FALSE(IsEmptyDirectory(directory_.path()));
  }
  EXPECT_TRUE(IsEmptyDirectory(directory_.path()));
}

TEST_F(DirectoryChecksTest, StateFileBesideTasksFileIsChecked) {
  const auto check = [&] {
    return FindingText(
        [&](Findings& findings) { CheckStateFile(directory_ / "tasks.json", findings); });
  };
  EXPECT_THAT(check(), HasSubstr("tasks.json.state can be made"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "tasks.json.state"));
  ASSERT_TRUE(WriteFileAtomically(directory_ / "tasks.json.state", "", false).ok());
  EXPECT_THAT(check(), HasSubstr("tasks.json.state is writable"));
}

TEST_F(DirectoryChecksTest, UnwritableStateFileFails) {
  const Unprivileged nobody(directory_.path());
  ASSERT_EQ(chmod(directory_.path().c_str(), 0500), 0);
  EXPECT_THAT(
      FindingText([&](Findings& findings) { CheckStateFile(directory_ / "tasks.json", findings); }),
      HasSubstr("FAIL  state file: "));
  ASSERT_EQ(chmod(directory_.path().c_str(), 0700), 0);
}

}  // namespace
}  // namespace sparkles
