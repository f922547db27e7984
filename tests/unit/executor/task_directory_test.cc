#include "executor/task_directory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/support/eventually.h"
#include "tests/support/forbidden_calls.h"
#include "tests/support/recorded_log.h"
#include "tests/support/temp_directory.h"
#include "tests/support/unrelated_process.h"

namespace sparkles {
namespace {

using testing::HasSubstr;

class TaskDirectoryTest : public testing::Test {
 protected:
  // Makes the directory of a worker that was killed during a task.
  std::string MakeStale(const std::string& name) {
    std::string path = tasks_dir_ + "/" + name;
    EXPECT_TRUE(MakeDirectories(path + "/work/deep").ok());
    EXPECT_TRUE(MakeDirectories(path + "/log").ok());
    EXPECT_TRUE(WriteFileAtomically(path + "/work/deep/out.txt", "x", false).ok());
    EXPECT_TRUE(WriteFileAtomically(path + "/.lock", "", false).ok());
    return path;
  }
  void RemoveStale() { RemoveStaleTaskDirectories(tasks_dir_, Activity(cancel_), recorded_.log()); }
  static bool Exists(const std::string& path) { return std::filesystem::exists(path); }

  TempDirectory directory_;
  RecordedLog recorded_;
  CancelToken cancel_;
  const std::string tasks_dir_ = directory_ / "a/tasks";
};

TEST_F(TaskDirectoryTest, WorkAndLogDirectoriesAreMade) {
  const auto made = TaskDirectory::Make(tasks_dir_, recorded_.log());
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->path().rfind(tasks_dir_ + "/task-", 0), 0U);
  EXPECT_TRUE(std::filesystem::is_empty(made->work()));
  EXPECT_TRUE(std::filesystem::is_empty(made->log()));
}

TEST_F(TaskDirectoryTest, PathsAreUnique) {
  const auto one = TaskDirectory::Make(tasks_dir_, recorded_.log());
  const auto two = TaskDirectory::Make(tasks_dir_, recorded_.log());
  EXPECT_NE(one->path(), two->path());
}

TEST_F(TaskDirectoryTest, DirectoryIsRemovedWithContent) {
  std::string path;
  {
    const auto made = TaskDirectory::Make(tasks_dir_, recorded_.log());
    path = made->path();
    ASSERT_TRUE(MakeDirectories(made->work() + "/a/b").ok());
    ASSERT_TRUE(WriteFileAtomically(made->work() + "/a/b/c", "x", false).ok());
    ASSERT_TRUE(Exists(path));
  }
  EXPECT_FALSE(Exists(path));
  EXPECT_TRUE(Exists(tasks_dir_));
}

TEST_F(TaskDirectoryTest, KeptDirectoryIsNeverRemoved) {
  std::string path;
  {
    auto made = TaskDirectory::Make(tasks_dir_, recorded_.log());
    path = made->path();
    EXPECT_TRUE(made->Keep().ok());
  }
  RemoveStale();
  EXPECT_TRUE(Exists(path + "/work"));
}

TEST_F(TaskDirectoryTest, MovedObjectRemovesDirectoryOnce) {
  auto made = TaskDirectory::Make(tasks_dir_, recorded_.log());
  std::optional<TaskDirectory> moved(*std::move(made));
  made = absl::CancelledError();
  EXPECT_TRUE(Exists(moved->work()));
  const std::string path = moved->path();
  moved.reset();
  EXPECT_FALSE(Exists(path));
}

TEST_F(TaskDirectoryTest, CreationFailureIsMachineFault) {  // D31
  ASSERT_TRUE(WriteFileAtomically(directory_ / "a", "in the way", false).ok());
  const auto made = TaskDirectory::Make(tasks_dir_, recorded_.log());
  EXPECT_TRUE(IsMachineFault(made.status()));
  EXPECT_THAT(std::string(made.status().message()), HasSubstr("Not a directory"));
}

TEST_F(TaskDirectoryTest, MissingLockSupportIsMachineFault) {
  const auto refused = InProcessWithout({{SYS_flock}}, ENOLCK, [&] {
    const auto made = TaskDirectory::Make(tasks_dir_, recorded_.log());
    const bool named =
        made.status().message().find("cannot be locked: No locks") != std::string::npos;
    return named && IsMachineFault(made.status());
  });
  if (!refused) GTEST_SKIP() << "no seccomp here";
  EXPECT_TRUE(*refused);
  EXPECT_TRUE(std::filesystem::is_empty(tasks_dir_));
}

TEST_F(TaskDirectoryTest, MovedWorkDirectoryIsDetected) {
  const auto made = TaskDirectory::Make(tasks_dir_, recorded_.log());
  EXPECT_TRUE(made->CheckInPlace().ok());
  ASSERT_EQ(rename(made->work().c_str(), (made->path() + "/elsewhere").c_str()), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(made->CheckInPlace()));
  ASSERT_EQ(symlink((made->path() + "/elsewhere").c_str(), made->work().c_str()), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(made->CheckInPlace()));
}

TEST_F(TaskDirectoryTest, ReplacedWorkDirectoryIsDetected) {
  const auto made = TaskDirectory::Make(tasks_dir_, recorded_.log());
  ASSERT_EQ(rename(made->work().c_str(), (made->path() + "/elsewhere").c_str()), 0);
  ASSERT_TRUE(MakeDirectories(made->work()).ok());
  EXPECT_FALSE(made->CheckInPlace().ok());
}

TEST_F(TaskDirectoryTest, RemovalFollowsNoLinks) {
  const TempDirectory outside;
  ASSERT_TRUE(WriteFileAtomically(outside / "precious", "x", false).ok());
  {
    const auto made = TaskDirectory::Make(tasks_dir_, recorded_.log());
    ASSERT_EQ(symlink(outside.path().c_str(), (made->work() + "/link").c_str()), 0);
    ASSERT_EQ(rename(made->log().c_str(), (made->path() + "/elsewhere").c_str()), 0);
    ASSERT_EQ(symlink(outside.path().c_str(), made->log().c_str()), 0);
  }
  EXPECT_TRUE(Exists(outside / "precious"));
  EXPECT_TRUE(std::filesystem::is_empty(tasks_dir_));
}

// A command can move its whole task directory and put a link in its place.
TEST_F(TaskDirectoryTest, LinkedReplacementIsNotFollowed) {
  for (const bool keep : {false, true}) {
    const TempDirectory outside;
    for (const char* name : {"work", "log"}) ASSERT_TRUE(MakeDirectories(outside / name).ok());
    ASSERT_TRUE(WriteFileAtomically(outside / ".lock", "", false).ok());
    std::string path;
    {
      auto made = TaskDirectory::Make(tasks_dir_, recorded_.log());
      path = made->path();
      ASSERT_EQ(rename(path.c_str(), (directory_ / "moved").c_str()), 0);
      ASSERT_EQ(symlink(outside.path().c_str(), path.c_str()), 0);
      EXPECT_TRUE(!keep || absl::IsFailedPrecondition(made->Keep()));
    }
    for (const char* name : {"work", "log", ".lock"}) EXPECT_TRUE(Exists(outside / name)) << name;
    EXPECT_EQ(std::filesystem::is_symlink(path), keep);
    RemoveStale();
    for (const char* name : {"work", "log", ".lock"}) EXPECT_TRUE(Exists(outside / name)) << name;
    ASSERT_TRUE(RemoveTree(directory_ / "moved").ok());
  }
  EXPECT_THAT(recorded_.Text(), HasSubstr("the task moved or replaced its own directory"));
}

TEST_F(TaskDirectoryTest, ReplacementDirectoryIsLeftAlone) {
  std::string path;
  {
    const auto made = TaskDirectory::Make(tasks_dir_, recorded_.log());
    path = made->path();
    ASSERT_EQ(rename(path.c_str(), (directory_ / "moved").c_str()), 0);
    ASSERT_TRUE(MakeDirectories(path + "/work").ok());
  }
  EXPECT_TRUE(Exists(path + "/work"));
}

TEST_F(TaskDirectoryTest, StaleDirectoryIsRemovedAndLogged) {
  const std::string stale = MakeStale("task-123456789");
  RemoveStale();
  EXPECT_FALSE(Exists(stale));
  EXPECT_THAT(recorded_.Text(), HasSubstr("removed " + stale));
}

TEST_F(TaskDirectoryTest, StopLeavesStaleDirectory) {
  const std::string stale = MakeStale("task-123456789");
  cancel_.Cancel(CancelKind::kHandBack, "SIGTERM");
  RemoveStale();
  EXPECT_TRUE(Exists(stale));
}

TEST_F(TaskDirectoryTest, StopEndsRemovalEarly) {
  const std::string stale = MakeStale("task-123456789");
  int entries = 0;
  const Activity removal(cancel_, nullptr, [&](uint64_t) {
    if (++entries == 2) cancel_.Cancel(CancelKind::kHandBack, "SIGTERM");
  });
  RemoveStaleTaskDirectories(tasks_dir_, removal, recorded_.log());
  EXPECT_LE(entries, 3);
  EXPECT_TRUE(Exists(stale + "/work"));
  EXPECT_TRUE(Exists(stale + "/.lock")) << "so that a later worker removes the rest";
  EXPECT_EQ(recorded_.Text(), "");
  RemoveStaleTaskDirectories(tasks_dir_, {}, recorded_.log());
  EXPECT_FALSE(Exists(stale));
}

TEST_F(TaskDirectoryTest, StopStillEndsOrphanedProcesses) {
  std::vector<pid_t> orphans;
  for (const char* name : {"task-123456789", "task-123456780"}) {
    orphans.push_back(StartUnrelatedProcess("SPARKLES_TASK_DIR=" + MakeStale(name), directory_));
  }
  cancel_.Cancel(CancelKind::kHandBack, "SIGTERM");
  RemoveStale();
  for (const pid_t orphan : orphans) EXPECT_TRUE(Eventually([&] { return !IsAlive(orphan); }));
}

// The command of such a task may still run, and the next worker finds it by the directory.
TEST_F(TaskDirectoryTest, DirectoryStaleDuringRemovalStays) {
  MakeStale("task-123456789");
  std::vector<TaskDirectory> in_use;
  std::vector<std::string> paths;
  for (int i = 0; i < 8; ++i) {
    in_use.push_back(TaskDirectory::Make(tasks_dir_, recorded_.log()).value());
    paths.push_back(in_use.back().path());
  }
  int calls = 0;
  const Activity removal(cancel_, nullptr, [&](uint64_t) {
    if (++calls != 2) return;  // the first call is before the sweep of the stale one
    for (TaskDirectory& directory : in_use) directory.LeaveForNextWorker();
  });
  RemoveStaleTaskDirectories(tasks_dir_, removal, recorded_.log());
  for (const std::string& path : paths) EXPECT_TRUE(Exists(path));
}

TEST_F(TaskDirectoryTest, LockIsRemovedLast) {
  const std::string path = MakeStale("task-123456789");
  ASSERT_TRUE(MakeDirectories(path + "/.cache/deep").ok());  // as a program with this HOME makes it
  // The first entry that is removed ends the removal.
  const Activity removal(cancel_, nullptr, [&](uint64_t) {
    if (Exists(path + "/.cache")) cancel_.Cancel(CancelKind::kHandBack, "test");
  });
  RemoveStaleTaskDirectories(tasks_dir_, removal, recorded_.log());
  EXPECT_TRUE(Exists(path + "/.lock"));
  RemoveStaleTaskDirectories(tasks_dir_, {}, recorded_.log());
  EXPECT_FALSE(Exists(path));
}

TEST_F(TaskDirectoryTest, DirectoryInUseIsNotStale) {
  const auto made = TaskDirectory::Make(tasks_dir_, recorded_.log());
  RemoveStale();
  EXPECT_TRUE(Exists(made->work()));
  EXPECT_TRUE(Exists(made->log()));
}

TEST_F(TaskDirectoryTest, OnlyEmptyUnlockedDirectoryIsStale) {
  ASSERT_TRUE(MakeDirectories(tasks_dir_ + "/task-123456789/work").ok());
  ASSERT_TRUE(MakeDirectories(tasks_dir_ + "/task-123456780").ok());
  ASSERT_TRUE(MakeDirectories(tasks_dir_ + "/task-notes").ok());
  RemoveStale();
  EXPECT_TRUE(Exists(tasks_dir_ + "/task-123456789/work"));
  EXPECT_FALSE(Exists(tasks_dir_ + "/task-123456780"));
  EXPECT_TRUE(Exists(tasks_dir_ + "/task-notes"));
}

TEST_F(TaskDirectoryTest, OtherDirectoriesAreNeverStale) {
  const std::string other = MakeStale("other");
  RemoveStale();
  EXPECT_TRUE(Exists(other));
}

TEST_F(TaskDirectoryTest, MissingTasksDirIsIgnored) {
  RemoveStale();
  EXPECT_EQ(recorded_.Text(), "");
}

}  // namespace
}  // namespace sparkles
