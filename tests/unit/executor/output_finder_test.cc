#include "executor/output_finder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/support/deep_directory.h"
#include "tests/support/few_descriptors.h"
#include "tests/support/temp_directory.h"
#include "tests/support/unprivileged.h"

namespace sparkles {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class OutputFinderTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(MakeDirectories(work_).ok()); }

  void MakeFile(const std::string& name) {
    ASSERT_TRUE(MakeDirectories(DirectoryOf(work_ + "/" + name)).ok());
    ASSERT_TRUE(WriteFileAtomically(work_ + "/" + name, "x", false).ok());
  }
  void MakeLink(const std::string& target, const std::string& name) {
    ASSERT_EQ(symlink(target.c_str(), (work_ + "/" + name).c_str()), 0);
  }

  static std::vector<Glob> Globs(const std::vector<std::string>& patterns) {
    std::vector<Glob> globs;
    for (const std::string& pattern : patterns) globs.push_back(*Glob::Parse(pattern));
    return globs;
  }
  Outputs Find(const std::vector<std::string>& include,
               const std::vector<std::string>& exclude = {}) {
    absl::StatusOr<Outputs> outputs = FindOutputs(work_, Globs(include), Globs(exclude));
    if (!outputs.ok()) ADD_FAILURE() << outputs.status();
    return *std::move(outputs);
  }
  std::vector<std::string> Files(const std::vector<std::string>& include,
                                 const std::vector<std::string>& exclude = {}) {
    return Find(include, exclude).files;
  }
  // Lines "path: reason".
  std::vector<std::string> Skips(const std::vector<std::string>& include,
                                 const std::vector<std::string>& exclude = {}) {
    std::vector<std::string> skips;
    for (const SkippedFile& skipped : Find(include, exclude).skipped) {
      skips.push_back(skipped.src + ": " + skipped.reason);
    }
    return skips;
  }

  const TempDirectory temp_;
  const std::string work_ = temp_ / "work";
};

TEST_F(OutputFinderTest, FilesMatchIncludeAndNoExclude) {
  MakeFile("out.csv");
  MakeFile(".hidden");
  MakeFile("sub/out.csv");
  MakeFile("sub/log.txt");
  MakeFile("tmp/x");
  EXPECT_THAT(Files({"**"}),
              ElementsAre(".hidden", "out.csv", "sub/log.txt", "sub/out.csv", "tmp/x"));
  EXPECT_THAT(Files({"*"}), ElementsAre(".hidden", "out.csv"));
  EXPECT_THAT(Files({"**"}, {"tmp/**", "**/*.txt"}),
              ElementsAre(".hidden", "out.csv", "sub/out.csv"));
  EXPECT_THAT(Files({"sub/*.csv", "sub/o*", "tmp/x"}), ElementsAre("sub/out.csv", "tmp/x"));
  EXPECT_THAT(Files({}), IsEmpty());
  EXPECT_THAT(Files({"nothing/**", "."}), IsEmpty());
}

TEST_F(OutputFinderTest, NamesMayHoldAnyBytes) {
  MakeFile("\xff\n\t");
  MakeFile("日本/é");
  EXPECT_THAT(Files({"**"}), ElementsAre("日本/é", "\xff\n\t"));
  EXPECT_THAT(Files({"?/?*"}), IsEmpty());
  EXPECT_THAT(Files({"[日]?/?"}), ElementsAre("日本/é"));
}

TEST_F(OutputFinderTest, DirectoriesAreNotOutputs) {
  ASSERT_TRUE(MakeDirectories(work_ + "/a/b").ok());
  MakeLink("a", "l");
  EXPECT_THAT(Files({"**", "a", "l"}), IsEmpty());
  EXPECT_THAT(Skips({"**", "a", "l"}), IsEmpty());
}

TEST_F(OutputFinderTest, LinksToFilesAreOutputs) {
  MakeFile("real.txt");
  MakeLink("real.txt", "near");
  MakeLink("/dev/../etc/passwd", "far");
  MakeLink("near", "twice");
  EXPECT_THAT(Files({"**"}), ElementsAre("far", "near", "real.txt", "twice"));
}

TEST_F(OutputFinderTest, DanglingLinkIsSkipped) {  // D04
  for (const char* name : {"a", "b", "y", "z"}) MakeFile(name);
  MakeLink("gone", "m");
  MakeLink("loop", "loop");
  EXPECT_THAT(Files({"*"}), ElementsAre("a", "b", "y", "z"));
  EXPECT_THAT(Skips({"*"}), ElementsAre("loop: circular symlinks", "m: dangling symlink"));
  EXPECT_THAT(Skips({"a*"}), IsEmpty());
}

TEST_F(OutputFinderTest, MatchingSpecialFileIsSkipped) {
  ASSERT_EQ(mkfifo((work_ + "/fifo").c_str(), 0666), 0);
  MakeLink("fifo", "to-fifo");
  MakeLink("/dev/null", "to-null");
  EXPECT_THAT(Skips({"**"}), ElementsAre("fifo: a FIFO", "to-fifo: leads to a FIFO",
                                         "to-null: leads to a device"));
  EXPECT_THAT(Skips({"*.csv"}), IsEmpty());
  EXPECT_THAT(Skips({"**"}, {"*"}), IsEmpty());
}

TEST_F(OutputFinderTest, LinkCycleListsEachFileOnce) {  // D06
  MakeFile("a");
  MakeFile("sub/b");
  MakeLink(".", "l1");
  MakeLink(".", "l2");
  MakeLink("..", "sub/up");
  EXPECT_THAT(Files({"**"}), ElementsAre("a", "sub/b"));
  EXPECT_THAT(Skips({"**"}), IsEmpty());
}

TEST_F(OutputFinderTest, RealPathWinsOverLinks) {
  MakeFile("zzz/file");
  MakeLink("zzz", "aaa");
  EXPECT_THAT(Files({"**"}), ElementsAre("zzz/file"));
}

TEST_F(OutputFinderTest, UnmatchedRealPathFollowsLink) {
  MakeFile("run-1/a.txt");
  MakeFile("run-1/sub/b.txt");
  MakeLink("run-1", "latest");
  EXPECT_THAT(Files({"latest/*.txt"}), ElementsAre("latest/a.txt"));
  EXPECT_THAT(Files({"latest/**"}), ElementsAre("latest/a.txt", "latest/sub/b.txt"));
  EXPECT_THAT(Files({"**"}, {"run-1/**"}), ElementsAre("latest/a.txt", "latest/sub/b.txt"));
}

TEST_F(OutputFinderTest, FirstLinkByNameIsFollowed) {
  MakeFile("hidden/f");
  MakeLink("hidden", "l2");
  MakeLink("hidden", "l1");
  EXPECT_THAT(Files({"l*/**"}), ElementsAre("l1/f"));
}

TEST_F(OutputFinderTest, LinksBehindLinksAreFollowed) {
  MakeFile("store/x/f");
  MakeFile("index/g");
  MakeLink("../store/x", "index/x");
  MakeLink("index", "view");
  EXPECT_THAT(Files({"view/**"}), ElementsAre("view/g", "view/x/f"));
}

TEST_F(OutputFinderTest, LinksToOutsideDirectoriesAreSkipped) {  // D06
  ASSERT_TRUE(MakeDirectories(temp_ / "work-2").ok());
  ASSERT_TRUE(WriteFileAtomically(temp_ / "work-2/secret", "x", false).ok());
  MakeLink("../work-2", "sibling");
  MakeLink("..", "above");
  MakeLink("/", "slash");
  EXPECT_THAT(Find({"**"}).files, IsEmpty());
  EXPECT_THAT(Skips({"**"}), ElementsAre("above: leads outside of the work directory",
                                         "sibling: leads outside of the work directory",
                                         "slash: leads outside of the work directory"));
  EXPECT_THAT(Skips({"*", "other/**"}), IsEmpty());
}

TEST_F(OutputFinderTest, UnreadableMatchingDirectoryIsSkipped) {  // D07
  ASSERT_EQ(chmod(work_.c_str(), 0777), 0);
  const Unprivileged nobody(temp_.path());
  MakeFile("a/f");
  MakeFile("b/f");
  ASSERT_EQ(chmod((work_ + "/b").c_str(), 0), 0);
  EXPECT_THAT(Files({"**"}), ElementsAre("a/f"));
  EXPECT_THAT(Skips({"**"}), ElementsAre("b: cannot be read: Permission denied"));
  EXPECT_THAT(Skips({"a/**"}), IsEmpty());
  EXPECT_THAT(Skips({"**"}, {"b/**"}), IsEmpty());
  ASSERT_EQ(chmod((work_ + "/b").c_str(), 0700), 0);
}

TEST_F(OutputFinderTest, MissingWorkDirectoryIsTaskFault) {
  const absl::StatusOr<Outputs> outputs = FindOutputs(temp_ / "absent", Globs({"**"}), {});
  ASSERT_FALSE(outputs.ok());
  EXPECT_FALSE(outputs.ok() || IsMachineFault(outputs.status()));
}

// An incomplete list must not look complete.
TEST_F(OutputFinderTest, DescriptorExhaustionIsMachineFault) {
  MakeFile("sub/f");
  // Enough for the work directory and its listing only.
  const FewDescriptors few(2);
  const absl::StatusOr<Outputs> outputs = FindOutputs(work_, Globs({"**"}), {});
  ASSERT_FALSE(outputs.ok());
  EXPECT_TRUE(IsMachineFault(outputs.status()));
}

TEST_F(OutputFinderTest, FilesBeyondPathMaxAreFound) {
  // A path of 10,200 bytes, which the search must split twice.
  const UniqueFd bottom = MakeDeepDirectory(work_, 100, std::string(101, 'd'));
  ASSERT_TRUE(bottom.valid());
  ASSERT_TRUE(UniqueFd(openat(bottom.get(), "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0666)).valid());
  ASSERT_EQ(symlinkat("..", bottom.get(), "up"), 0);
  ASSERT_EQ(symlinkat("/", bottom.get(), "out"), 0);
  const FewDescriptors few(6);
  const Outputs outputs = Find({"**"});
  ASSERT_THAT(outputs.files, SizeIs(1));
  EXPECT_EQ(outputs.files[0].size(), 100u * 102 + 1);
  EXPECT_THAT(outputs.skipped, SizeIs(1));
}

TEST_F(OutputFinderTest, ManyLinkCyclesAreNotExponential) {  // D06
  std::vector<std::string> names;
  for (int i = 0; i < 30; ++i) {
    const std::string directory = absl::StrCat("f", i + 10);
    MakeFile(directory + "/x");
    MakeLink("..", directory + "/up");
    MakeLink("../f10", directory + "/first");
    names.push_back(directory + "/x");
  }
  EXPECT_EQ(Files({"**", "**/up/**/first/**"}), names);
}

TEST_F(OutputFinderTest, StopDuringSearchReturnsCancelled) {
  for (const char* name : {"a", "b/c", "b/d/e", "f/g"}) MakeFile(name);
  ASSERT_TRUE(MakeDirectories(work_ + "/empty").ok());
  MakeLink("b", "link");
  uint64_t reports = 0;
  const CancelToken never;
  Heartbeat heartbeat;
  const Activity counted(never, &heartbeat, [&](uint64_t) { ++reports; });
  ASSERT_TRUE(FindOutputs(work_, Globs({"**"}), {}, counted).ok());
  EXPECT_GE(reports, 9 + 5) << "each entry, and each directory again";
  EXPECT_EQ(heartbeat.beats(), reports);
  for (uint64_t last = 1; last <= reports; ++last) {
    uint64_t calls = 0;
    CancelToken cancel;
    const Activity stopped(cancel, nullptr, [&](uint64_t) {
      if (++calls == last) cancel.Cancel(CancelKind::kHandBack, "SIGTERM");
    });
    const auto outputs = FindOutputs(work_, Globs({"**"}), {}, stopped);
    EXPECT_TRUE(absl::IsCancelled(outputs.status())) << last << ": " << outputs.status();
    EXPECT_EQ(calls, last);
  }
}

TEST_F(OutputFinderTest, UnmatchedPatternsAreReturned) {
  MakeFile("a.csv");
  MakeFile("sub/b.log");
  MakeLink("nowhere", "dangling");
  MakeLink("sub", "folder");
  EXPECT_THAT(Find({"*.csv", "*.log", "**", "dangling", "sub", "folder", "sub/*"}).unmatched,
              ElementsAre(1, 4, 5));
  EXPECT_THAT(Find({"*.csv", "sub/**"}, {"sub/**"}).unmatched, ElementsAre(1))
      << "an excluded file is not an output";
  EXPECT_THAT(Find({"**"}).unmatched, IsEmpty());
}

}  // namespace
}  // namespace sparkles
