#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "tests/support/deep_directory.h"
#include "tests/support/few_descriptors.h"
#include "tests/support/temp_directory.h"
#include "tests/support/unprivileged.h"

namespace sparkles {
namespace {

bool Exists(const std::string& path) {
  struct stat info;
  return lstat(path.c_str(), &info) == 0;
}

void Touch(const std::string& path) { ASSERT_TRUE(WriteFileAtomically(path, "x", false).ok()); }

TEST(RemoveTree, RemovesEveryKindOfEntry) {
  const TempDirectory temp;
  const std::string tree = temp / "tree";
  ASSERT_TRUE(MakeDirectories(tree + "/a/b/c").ok());
  ASSERT_TRUE(MakeDirectories(tree + "/a/empty").ok());
  Touch(tree + "/a/file");
  Touch(tree + "/a/b/\xff\n name");
  ASSERT_EQ(mkfifo((tree + "/a/fifo").c_str(), 0666), 0);
  ASSERT_EQ(symlink("nowhere", (tree + "/dangling").c_str()), 0);
  EXPECT_TRUE(RemoveTree(tree).ok());
  EXPECT_FALSE(Exists(tree));
}

TEST(RemoveTree, AbsentTreeIsSuccess) {
  const TempDirectory temp;
  EXPECT_TRUE(RemoveTree(temp / "absent").ok());
  EXPECT_TRUE(RemoveTree(temp / "absent/below").ok());
}

TEST(RemoveTree, SymlinksAreNotFollowed) {
  const TempDirectory temp;
  ASSERT_TRUE(MakeDirectories(temp / "precious").ok());
  Touch(temp / "precious/file");
  ASSERT_TRUE(MakeDirectories(temp / "tree/sub").ok());
  ASSERT_EQ(symlink("../precious", (temp / "tree/link").c_str()), 0);
  ASSERT_EQ(symlink((temp / "precious").c_str(), (temp / "tree/sub/link").c_str()), 0);
  EXPECT_TRUE(RemoveTree(temp / "tree").ok());
  EXPECT_FALSE(Exists(temp / "tree"));
  EXPECT_TRUE(Exists(temp / "precious/file"));
}

TEST(RemoveTree, TopLinkIsRemovedNotTarget) {
  const TempDirectory temp;
  ASSERT_TRUE(MakeDirectories(temp / "precious").ok());
  ASSERT_EQ(symlink("precious", (temp / "link").c_str()), 0);
  EXPECT_TRUE(RemoveTree(temp / "link").ok());
  EXPECT_FALSE(Exists(temp / "link"));
  EXPECT_TRUE(Exists(temp / "precious"));
}

TEST(RemoveTree, SingleFileIsRemoved) {
  const TempDirectory temp;
  Touch(temp / "file");
  EXPECT_TRUE(RemoveTree(temp / "file").ok());
  EXPECT_FALSE(Exists(temp / "file"));
}

TEST(RemoveTree, DeepTreeNeedsFewDescriptors) {
  const TempDirectory temp;
  ASSERT_TRUE(MakeDirectories(temp / "tree").ok());
  ASSERT_TRUE(MakeDeepDirectory(temp / "tree", 1'000, "d").valid());
  const FewDescriptors few(6);
  EXPECT_TRUE(RemoveTree(temp / "tree").ok());
  EXPECT_FALSE(Exists(temp / "tree"));
}

TEST(RemoveTree, WideTreeNeedsFewDescriptors) {
  const TempDirectory temp;
  for (int i = 0; i < 200; ++i)
    ASSERT_TRUE(MakeDirectories(temp / absl::StrCat("tree/", i, "/a")).ok());
  const FewDescriptors few(6);
  EXPECT_TRUE(RemoveTree(temp / "tree").ok());
  EXPECT_FALSE(Exists(temp / "tree"));
}

TEST(RemoveTree, OwnerRemovesUnreadableDirectories) {
  const TempDirectory temp;
  const Unprivileged nobody(temp.path());
  for (const mode_t mode : {0000u, 0400u, 0200u, 0100u, 0500u, 0600u}) {
    ASSERT_TRUE(MakeDirectories(temp / "tree/a/b").ok());
    Touch(temp / "tree/a/b/file");
    ASSERT_EQ(chmod((temp / "tree/a/b").c_str(), mode), 0);
    ASSERT_EQ(chmod((temp / "tree/a").c_str(), mode), 0);
    ASSERT_EQ(chmod((temp / "tree").c_str(), mode), 0);
    const absl::Status removed = RemoveTree(temp / "tree");
    EXPECT_TRUE(removed.ok()) << mode << ": " << removed;
    EXPECT_FALSE(Exists(temp / "tree")) << mode;
  }
}

TEST(RemoveTree, RemovalContinuesAfterError) {
  const TempDirectory temp;
  ASSERT_TRUE(MakeDirectories(temp / "tree/of-root/sub").ok());
  if (geteuid() != 0) GTEST_SKIP() << "needs a directory of another user";
  ASSERT_EQ(chmod(temp.path().c_str(), 0755), 0);
  ASSERT_EQ(chmod((temp / "tree").c_str(), 0777), 0);
  Touch(temp / "tree/of-root/file");
  absl::Status removed;
  {
    const Unprivileged nobody(temp.path());
    ASSERT_TRUE(MakeDirectories(temp / "tree/a").ok());
    Touch(temp / "tree/a/file");
    Touch(temp / "tree/z");
    removed = RemoveTree(temp / "tree");
  }
  EXPECT_TRUE(absl::IsPermissionDenied(removed)) << removed;
  EXPECT_TRUE(absl::StrContains(removed.message(), "tree/of-root/")) << removed;
  EXPECT_TRUE(Exists(temp / "tree/of-root/file"));
  EXPECT_FALSE(Exists(temp / "tree/a"));
  EXPECT_FALSE(Exists(temp / "tree/z"));
}

TEST(RemoveTree, CancellationStopsRemoval) {
  const TempDirectory temp;
  const auto make_tree = [&] {
    for (const char* name : {"a", "b", "c"}) {
      EXPECT_TRUE(MakeDirectories(temp / absl::StrCat("tree/", name, "/empty")).ok());
      Touch(temp / absl::StrCat("tree/", name, "/file"));
    }
  };
  make_tree();
  uint64_t reports = 0;
  const CancelToken never;
  Heartbeat heartbeat;
  const Activity counted(never, &heartbeat, [&](uint64_t) { ++reports; });
  EXPECT_TRUE(RemoveTree(temp / "tree", counted).ok());
  EXPECT_GE(reports, 3 + 3 * 2 + 7) << "each entry, and each directory twice";
  EXPECT_EQ(heartbeat.beats(), reports);
  for (uint64_t last = 1; last <= reports; ++last) {
    make_tree();
    uint64_t calls = 0;
    CancelToken cancel;
    const Activity stopped(cancel, nullptr, [&](uint64_t) {
      if (++calls == last) cancel.Cancel(CancelKind::kHandBack, "SIGTERM");
    });
    const absl::Status removed = RemoveTree(temp / "tree", stopped);
    EXPECT_TRUE(absl::IsCancelled(removed)) << removed;
    EXPECT_EQ(calls, last);
    EXPECT_TRUE(Exists(temp / "tree"));
  }
}

}  // namespace
}  // namespace sparkles
