#include "executor/stager.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <latch>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "tests/support/failing_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/forbidden_calls.h"
#include "tests/support/mem_store.h"
#include "tests/support/recorded_log.h"
#include "tests/support/temp_directory.h"
#include "tests/support/unprivileged.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A clock in the future, so that every time stamp on the disk is old.
class LateClock : public SystemClock {
 public:
  absl::Time Now() override { return SystemClock::Now() + absl::Minutes(1); }
};

class StagerTest : public testing::Test {
 protected:
  const std::string content_ = "shared content\n";
  const std::string cas_url_ = "gs://b/cas/" + HexHash(HashKind::kSha256, content_);

  void SetUp() override {
    memory_.Put("gs://b/plain", "plain content\n");
    memory_.Put(cas_url_, content_);
    ASSERT_TRUE(MakeDirectories(Work()).ok());
  }

  std::string Work() const { return directory_ / "work"; }
  std::string In(const std::string& name) const { return Work() + "/" + name; }

  static Download Plain(const std::string& dst, const std::string& url = "gs://b/plain") {
    Download download;
    download.src_url = url;
    download.dst = dst;
    return download;
  }
  Download Cas(const std::string& dst, bool symlink_safe = false) const {
    Download download = Plain(dst, cas_url_);
    download.is_cas_key = true;
    download.symlink_safe = symlink_safe;
    return download;
  }

  absl::Status Stage(const std::vector<Download>& downloads) {
    auto inputs = stager_.Stage(downloads, Work(), activity_, recorded_.log());
    if (inputs.ok()) inputs_ = *inputs;
    return inputs.status();
  }

  // The inputs that count as unchanged after the command.
  std::vector<std::string> Unchanged() {
    auto unchanged =
        stager_.DetectChangedInputs(inputs_, Work(), activity_, recorded_.log()).value();
    stager_.DropChanged(inputs_, activity_, recorded_.log());
    return unchanged;
  }

  std::string Read(const std::string& name) const {
    return ReadFile(In(name), 1000).value_or("(none)");
  }
  void Write(const std::string& name, const std::string& content) {
    ASSERT_TRUE(WriteFileAtomically(In(name), content, false).ok());
  }

  TempDirectory directory_;
  MemStore memory_;
  FailingStore store_{memory_};
  FakeClock clock_;
  CancelToken cancel_;
  Heartbeat heartbeat_;
  const Activity activity_{cancel_, &heartbeat_};
  RecordedLog recorded_;
  ContentCache cache_{directory_ / "cache", store_, clock_};
  CurrentTask current_;
  Stager stager_{store_, cache_, clock_, current_, /*transfers=*/1};
  std::vector<StagedInput> inputs_;
};

TEST_F(StagerTest, AllKindsOfInputsAreStaged) {
  ASSERT_TRUE(Stage({Plain("plain"), Cas("sub/copy"), Cas("linked", true)}).ok());
  EXPECT_EQ(Read("plain"), "plain content\n");
  EXPECT_EQ(Read("sub/copy"), content_);
  EXPECT_EQ(Read("linked"), content_);
  EXPECT_FALSE(std::filesystem::is_symlink(In("sub/copy")));
  EXPECT_TRUE(std::filesystem::is_symlink(In("linked")));
}

TEST_F(StagerTest, StagedFilesAndBytesAreCounted) {
  current_.Enter(TaskPhase::kFetching, clock_.Now(), 2);
  ASSERT_TRUE(Stage({Plain("one"), Plain("two")}).ok());
  EXPECT_EQ(current_.Read()->files_done, 2);
  EXPECT_EQ(current_.Read()->bytes_done, 2 * Read("one").size());
}

TEST_F(StagerTest, InputIsCopiedWithoutSymlinkSupport) {
  std::vector<ForbiddenCall> calls = {{SYS_symlinkat}};
#ifdef SYS_symlink
  calls.push_back({SYS_symlink});
#endif
  for (const int error : {EPERM, EOPNOTSUPP}) {
    const auto copied = InProcessWithout(calls, error, [&] {
      return Stage({Cas("copy", true)}).ok() && Read("copy") == content_ &&
             !std::filesystem::is_symlink(In("copy")) && Unchanged().size() == 1;
    });
    if (!copied) GTEST_SKIP() << "no seccomp here";
    EXPECT_TRUE(*copied);
    ASSERT_TRUE(std::filesystem::remove(In("copy")));
  }
}

TEST_F(StagerTest, SharedObjectIsDownloadedOnce) {
  ASSERT_TRUE(Stage({Cas("one"), Cas("two"), Cas("three", true)}).ok());
  EXPECT_EQ(memory_.downloads(), 1);
  EXPECT_EQ(Read("two"), content_);
}

TEST_F(StagerTest, ParallelTransfersKeepInputOrder) {
  Stager parallel(store_, cache_, clock_, current_, /*transfers=*/8);
  std::vector<Download> downloads;
  for (int i = 0; i < 100; ++i) downloads.push_back(Plain("f" + std::to_string(i)));
  const auto inputs = parallel.Stage(downloads, Work(), activity_, recorded_.log());
  ASSERT_EQ(inputs.value().size(), 100U);
  for (size_t i = 0; i < 100; ++i) EXPECT_EQ((*inputs)[i].download.dst, downloads[i].dst);
}

TEST_F(StagerTest, OnlyExecutableInputsAreExecutable) {  // D11
  Download program = Cas("program", true);
  program.executable = true;
  Download plain = Plain("plain");
  plain.executable = true;
  const mode_t old_umask = umask(022);
  ASSERT_TRUE(Stage({program, plain, Cas("data"), Cas("linked", true)}).ok());
  umask(old_umask);
  const auto mode = [this](const std::string& name) {
    struct stat info;
    return stat(In(name).c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
  };
  EXPECT_EQ(mode("program"), 0755U);
  EXPECT_EQ(mode("plain"), 0755U);
  EXPECT_EQ(mode("data"), 0644U);
  EXPECT_EQ(mode("linked"), 0444U);
  EXPECT_FALSE(std::filesystem::is_symlink(In("program")));
}

TEST_F(StagerTest, ExistingFileIsNotDownloaded) {  // D09
  Write("plain", "made by a script");
  ASSERT_EQ(symlink("/no/such", In("dangling").c_str()), 0);
  ASSERT_TRUE(Stage({Plain("plain"), Plain("dangling")}).ok());
  EXPECT_EQ(Read("plain"), "made by a script");
  EXPECT_EQ(memory_.downloads(), 0);
  EXPECT_THAT(inputs_, IsEmpty());
  EXPECT_THAT(recorded_.Text(), HasSubstr("plain is there already: not downloaded"));
  EXPECT_THAT(Unchanged(), IsEmpty());
}

TEST_F(StagerTest, FirstFailureStopsStaging) {
  const absl::Status status = Stage({Plain("a"), Plain("b", "gs://b/none"), Plain("c")});
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(status.message(), "downloads: b: gs://b/none: not found");
  EXPECT_EQ(Read("a"), "plain content\n");
  EXPECT_EQ(Read("c"), "(none)");
}

TEST_F(StagerTest, FailedDownloadLeavesNoFile) {  // D50
  store_.Add({.method = StoreMethod::kDownload,
              .status = absl::UnavailableError("cut"),
              .cut_to_bytes = 5});
  EXPECT_FALSE(Stage({Plain("plain")}).ok());
  EXPECT_TRUE(std::filesystem::is_empty(Work()));
}

TEST_F(StagerTest, WrongContentIsRejected) {  // D10
  memory_.Put(cas_url_, "something else");
  EXPECT_TRUE(absl::IsDataLoss(Stage({Cas("input")})));
  EXPECT_EQ(Read("input"), "(none)");
}

TEST_F(StagerTest, FullDiskIsMachineFault) {
  store_.Add({.method = StoreMethod::kDownload, .status = ErrnoError(ENOSPC, "gs://b/plain")});
  EXPECT_TRUE(IsMachineFault(Stage({Plain("plain")})));
}

// A store whose first downloads run at the same time and fail because of a full disk.
class FullDiskStore : public MemStore {
 public:
  explicit FullDiskStore(int count) : full_(count), latch_(count) {}
  absl::StatusOr<ObjectInfo> Download(const std::string& url, int fd,
                                      const Activity& activity) override {
    if (full_-- <= 0) return MemStore::Download(url, fd, activity);
    latch_.arrive_and_wait();
    return ErrnoError(ENOSPC, url);
  }

 private:
  std::atomic<int> full_;
  std::latch latch_;
};

TEST_F(StagerTest, EvictionServesAllTransfers) {  // D51
  ASSERT_TRUE(Stage({Cas("in-the-cache")}).ok());
  FullDiskStore full(/*count=*/4);
  full.Put("gs://b/plain", "plain content\n");
  Stager parallel(full, cache_, clock_, current_, /*transfers=*/4);
  const auto inputs = parallel.Stage({Plain("a"), Plain("b"), Plain("c"), Plain("d")}, Work(),
                                     activity_, recorded_.log());
  EXPECT_TRUE(inputs.ok()) << inputs.status();
  EXPECT_EQ(Read("d"), "plain content\n");
}

TEST_F(StagerTest, InputBehindOutsideLinkIsRefused) {  // D08
  const TempDirectory outside;
  ASSERT_EQ(symlink(outside.path().c_str(), In("link").c_str()), 0);
  const absl::Status status = Stage({Plain("link/sub/input")});
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_TRUE(std::filesystem::is_empty(outside.path()));
}

TEST_F(StagerTest, CancelledStageDownloadsNothing) {
  cancel_.Cancel(CancelKind::kHandBack, "SIGTERM");
  EXPECT_TRUE(absl::IsCancelled(Stage({Plain("plain"), Cas("copy")})));
  EXPECT_EQ(memory_.downloads(), 0);
}

TEST_F(StagerTest, UntouchedInputsAreUnchangedAndSorted) {
  ASSERT_TRUE(Stage({Cas("z"), Plain("plain"), Cas("linked", true)}).ok());
  EXPECT_THAT(Unchanged(), ElementsAre("linked", "plain", "z"));
}

TEST_F(StagerTest, TouchedInputIsComparedByContent) {
  ASSERT_TRUE(Stage({Cas("copy"), Plain("plain"), Cas("linked", true)}).ok());
  Write("copy", content_);
  Write("plain", "plain content\n");
  Write("linked", content_);
  const uint64_t beats = heartbeat_.beats();
  EXPECT_THAT(Unchanged(), ElementsAre("copy", "linked", "plain"));
  EXPECT_EQ(heartbeat_.beats(), beats + 3) << "each piece is a sign of life";
}

// If an old time stamp has not changed, the stager need not read an input of many gigabytes.
TEST_F(StagerTest, OldTimestampProvesInputUnchanged) {
  LateClock late;
  Stager stager(store_, cache_, late, current_, /*transfers=*/1);
  inputs_ = stager.Stage({Plain("plain")}, Work(), activity_, recorded_.log()).value();
  inputs_[0].crc32c ^= 1;  // a read would find a change
  EXPECT_THAT(Unchanged(), ElementsAre("plain"));
}

TEST_F(StagerTest, ChangedCtimeMarksInputChanged) {  // D12
  LateClock late;
  Stager stager(store_, cache_, late, current_, /*transfers=*/1);
  inputs_ = stager.Stage({Plain("plain")}, Work(), activity_, recorded_.log()).value();
  const struct stat& seen = inputs_[0].seen;
  struct stat now;
  do {  // until the file system's clock has ticked
    const auto fd = OpenFile(In("plain"), O_WRONLY);
    ASSERT_EQ(pwrite(fd->get(), "X", 1, 0), 1);
    const timespec times[2] = {seen.st_atim, seen.st_mtim};
    ASSERT_EQ(futimens(fd->get(), times), 0);
    ASSERT_EQ(stat(In("plain").c_str(), &now), 0);
  } while (now.st_ctim.tv_nsec == seen.st_ctim.tv_nsec);
  EXPECT_THAT(Unchanged(), IsEmpty());
}

// Edits right after staging, when the time stamp may still be the same.
TEST_F(StagerTest, EditWithSameMtimeIsDetected) {  // D12
  for (const char* name : {"copy", "plain"}) {
    ASSERT_TRUE(Stage({std::string(name) == "copy" ? Cas(name) : Plain(name)}).ok());
    const auto fd = OpenFile(In(name), O_WRONLY);
    ASSERT_TRUE(fd.ok());
    ASSERT_EQ(pwrite(fd->get(), "X", 1, 0), 1);
    const timespec times[2] = {inputs_[0].seen.st_atim, inputs_[0].seen.st_mtim};
    ASSERT_EQ(futimens(fd->get(), times), 0);
    EXPECT_THAT(Unchanged(), IsEmpty()) << name;
  }
}

TEST_F(StagerTest, StopEndsInputComparisonEarly) {
  ASSERT_TRUE(Stage({Plain("plain")}).ok());
  std::filesystem::permissions(In("plain"), std::filesystem::perms::owner_read);
  cancel_.Cancel(CancelKind::kHandBack, "preempted");
  const auto unchanged = stager_.DetectChangedInputs(inputs_, Work(), activity_, recorded_.log());
  EXPECT_TRUE(absl::IsCancelled(unchanged.status())) << unchanged.status();
  EXPECT_THAT(unchanged.status().message(), testing::HasSubstr("preempted"));
}

TEST_F(StagerTest, StopSkipsCopyOfChangedLink) {
  ASSERT_TRUE(Stage({Cas("linked", true)}).ok());
  const std::string entry = std::filesystem::read_symlink(In("linked"));
  std::filesystem::permissions(entry, std::filesystem::perms::owner_all);
  ASSERT_TRUE(WriteFileAtomically(entry, "longer than it was before\n", false).ok());
  cancel_.Cancel(CancelKind::kHandBack, "preempted");
  EXPECT_TRUE(absl::IsCancelled(
      stager_.DetectChangedInputs(inputs_, Work(), activity_, recorded_.log()).status()));
  stager_.DropChanged(inputs_, activity_, recorded_.log());
  EXPECT_EQ(recorded_.Text(), "");
}

TEST_F(StagerTest, MissingOrReplacedInputIsChanged) {
  ASSERT_TRUE(Stage({Plain("gone"), Plain("folder"), Cas("linked", true)}).ok());
  for (const char* name : {"gone", "folder", "linked"}) ASSERT_EQ(unlink(In(name).c_str()), 0);
  ASSERT_TRUE(MakeDirectories(In("folder")).ok());
  EXPECT_THAT(Unchanged(), IsEmpty());
  EXPECT_TRUE(Stage({Cas("again", true)}).ok());
  EXPECT_EQ(memory_.downloads(), 3);
}

// D11: a task that writes through its link must not change the inputs of other tasks.
TEST_F(StagerTest, ChangedLinkedInputIsMadePrivate) {
  ASSERT_TRUE(Stage({Cas("linked", true)}).ok());
  const std::string entry = std::filesystem::read_symlink(In("linked"));
  ASSERT_EQ(chmod(entry.c_str(), 0644), 0);
  {
    const auto fd = OpenFile(In("linked"), O_WRONLY | O_TRUNC);
    ASSERT_TRUE(fd.ok() && WriteAll(fd->get(), "poison", "linked").ok());
  }
  EXPECT_THAT(Unchanged(), IsEmpty());
  EXPECT_FALSE(std::filesystem::is_symlink(In("linked")));
  EXPECT_EQ(Read("linked"), "poison");
  EXPECT_FALSE(std::filesystem::exists(entry));
  EXPECT_THAT(recorded_.Text(), HasSubstr("linked is shared with other tasks"));
  ASSERT_TRUE(Stage({Cas("next")}).ok());
  EXPECT_EQ(Read("next"), content_);
}

TEST_F(StagerTest, UnreadableLinkedInputIsTolerated) {
  ASSERT_EQ(chmod(Work().c_str(), 0777), 0);
  {
    const Unprivileged nobody(directory_.path());
    ASSERT_TRUE(Stage({Cas("linked", true)}).ok());
    ASSERT_EQ(chmod(In("linked").c_str(), 0), 0);
    EXPECT_THAT(Unchanged(), IsEmpty());
    ASSERT_TRUE(Stage({Cas("next", true)}).ok());
    EXPECT_EQ(Read("next"), content_);
  }
  EXPECT_THAT(recorded_.Text(), HasSubstr("linked stays a link into the cache"));
}

TEST_F(StagerTest, OversizedChangedLinkIsMachineFault) {
  ASSERT_TRUE(Stage({Cas("linked", true)}).ok());
  {
    std::ofstream through(In("linked"));
    through << "changed";
  }
  rlimit usual;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &usual), 0);
  signal(SIGXFSZ, SIG_IGN);
  const rlimit none{0, usual.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
  const auto settled = stager_.DetectChangedInputs(inputs_, Work(), activity_, recorded_.log());
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &usual), 0);
  EXPECT_THAT(std::string(settled.status().message()), HasSubstr("changed input: "));
  EXPECT_TRUE(IsMachineFault(settled.status())) << "the limit is the worker's own ulimit -f";
}

TEST_F(StagerTest, ReplacedLinkLeavesCacheIntact) {
  ASSERT_TRUE(Stage({Cas("linked", true)}).ok());
  Write("linked", "the task's own version");
  EXPECT_THAT(Unchanged(), IsEmpty());
  EXPECT_EQ(Read("linked"), "the task's own version");
  ASSERT_TRUE(Stage({Cas("next", true)}).ok());
  EXPECT_EQ(memory_.downloads(), 1);
}

}  // namespace
}  // namespace sparkles
