#include "queue/claim_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

JournalEntry EntryOf(const std::string& id) {
  return {"project", "cluster", id, "owner", 7, absl::FromUnixMicros(1'769'860'800'123'456)};
}

class ClaimJournalTest : public testing::Test {
 protected:
  std::unique_ptr<ClaimJournal> Open() { return *ClaimJournal::Open(directory_.path(), true); }

  // Writes a journal of a dead worker.
  void LeaveForNextWorker(absl::string_view text, const std::string& number = "123456789") {
    ASSERT_TRUE(WriteFileAtomically(PathOf(number), text, false).ok());
  }
  std::string PathOf(const std::string& number) {
    return absl::StrCat(directory_.path(), "/claims-", number, ".journal");
  }
  bool Exists(const std::string& path) {
    struct stat info;
    return lstat(path.c_str(), &info) == 0;
  }

  std::vector<std::string> Files() {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      files.push_back(entry.path());
    }
    return files;
  }

  // The text of the only journal.
  std::string Text() {
    const std::vector<std::string> files = Files();
    return files.size() == 1 ? ReadFile(files[0], 1 << 20).value() : "";
  }

  std::vector<std::string> Abandoned(const ClaimJournal& journal, bool settled = true) {
    std::vector<std::string> ids;
    journal.ForEachAbandoned([&](const JournalEntry& entry) {
      ids.push_back(entry.task_id);
      return settled;
    });
    return ids;
  }

  TempDirectory directory_;
};

TEST_F(ClaimJournalTest, ClaimIsOnDiskUntilItsEnd) {
  auto journal = Open();
  ASSERT_TRUE(journal->Begin(EntryOf("a.1")).ok());
  EXPECT_THAT(ParseJournal(Text()), ElementsAre(EntryOf("a.1")));
  ASSERT_TRUE(journal->Begin(EntryOf("a.2")).ok());
  journal->End(EntryOf("a.1"));
  EXPECT_THAT(ParseJournal(Text()), ElementsAre(EntryOf("a.2")));
  journal->End(EntryOf("a.2"));
  EXPECT_EQ(Text(), "");
  journal.reset();
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(ClaimJournalTest, MemoryMarkIsKept) {
  auto journal = Open();
  JournalEntry entry = EntryOf("a.1");
  entry.memory_mark = "boot 1:2 3 4";
  ASSERT_TRUE(journal->Begin(entry).ok());
  ASSERT_EQ(ParseJournal(Text()).size(), 1U);
  EXPECT_EQ(ParseJournal(Text())[0].memory_mark, "boot 1:2 3 4");
  journal->End(EntryOf("a.1"));
  EXPECT_EQ(Text(), "") << "the mark is not part of a claim's identity";
}

TEST_F(ClaimJournalTest, OpenClaimStaysForNextWorker) {
  auto journal = Open();
  ASSERT_TRUE(journal->Begin(EntryOf("a.1")).ok());
  journal.reset();
  EXPECT_THAT(Abandoned(*Open()), ElementsAre("a.1"));
}

TEST_F(ClaimJournalTest, RemovedJournalIsWrittenAgain) {
  auto journal = Open();
  ASSERT_TRUE(journal->Begin(EntryOf("a.1")).ok());
  ASSERT_TRUE(RemoveTree(directory_.path()).ok());
  ASSERT_TRUE(journal->Begin(EntryOf("a.2")).ok());
  journal->End(EntryOf("a.1"));
  EXPECT_THAT(ParseJournal(Text()), ElementsAre(EntryOf("a.2")));
  journal.reset();
  EXPECT_THAT(Abandoned(*Open()), ElementsAre("a.2"));
}

TEST_F(ClaimJournalTest, FailedRewriteIsRepeated) {
  auto journal = Open();
  ASSERT_TRUE(journal->Begin(EntryOf("a.1")).ok());
  ASSERT_TRUE(RemoveTree(directory_.path()).ok());
  // A limit on the size of files acts like a full disk.
  signal(SIGXFSZ, SIG_IGN);
  rlimit usual{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &usual), 0);
  const rlimit none = {0, usual.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
  EXPECT_FALSE(journal->Begin(EntryOf("a.2")).ok());
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &usual), 0);
  signal(SIGXFSZ, SIG_DFL);
  ASSERT_TRUE(journal->Begin(EntryOf("a.2")).ok());
  EXPECT_THAT(ParseJournal(Text()), ElementsAre(EntryOf("a.1"), EntryOf("a.2")));
}

TEST_F(ClaimJournalTest, ReplacedJournalIsWrittenAgain) {
  auto journal = Open();
  ASSERT_TRUE(journal->Begin(EntryOf("a.1")).ok());
  const std::string path = Files()[0];
  const std::string text = Text();
  ASSERT_EQ(unlink(path.c_str()), 0);
  ASSERT_TRUE(WriteFileAtomically(path, text, false).ok());  // an unlocked copy
  ASSERT_TRUE(journal->Begin(EntryOf("a.2")).ok());
  EXPECT_EQ(ReadFile(path, 1 << 20).value(), text);
  EXPECT_THAT(Abandoned(*journal), IsEmpty()) << "a worker's own claims are not abandoned";
  journal.reset();
  EXPECT_THAT(Abandoned(*Open()), ElementsAre("a.1", "a.2"));
}

TEST_F(ClaimJournalTest, LongJournalIsRewrittenWhenClaimEnds) {
  const auto journal = *ClaimJournal::Open(directory_.path(), /*durable=*/false);
  ASSERT_TRUE(journal->Begin(EntryOf("open.1")).ok());
  for (int i = 0; i < 500; ++i) {
    const JournalEntry entry = EntryOf(absl::StrCat(std::string(1000, 'a'), i));
    ASSERT_TRUE(journal->Begin(entry).ok());
    journal->End(entry);
    ASSERT_LT(Text().size(), 70'000U);
  }
  EXPECT_THAT(ParseJournal(Text()), ElementsAre(EntryOf("open.1")));
}

TEST_F(ClaimJournalTest, LineAfterTornLineIsRead) {
  auto journal = Open();
  ASSERT_TRUE(journal->Begin(EntryOf("a.1")).ok());
  // A limit on the size of files acts like a disk that is full after half of the next line.
  signal(SIGXFSZ, SIG_IGN);
  rlimit usual{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &usual), 0);
  const rlimit half = {Text().size() * 3 / 2, usual.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &half), 0);
  EXPECT_FALSE(journal->Begin(EntryOf("a.2")).ok());
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &usual), 0);
  signal(SIGXFSZ, SIG_DFL);
  ASSERT_TRUE(journal->Begin(EntryOf("a.3")).ok());
  EXPECT_THAT(ParseJournal(Text()), ElementsAre(EntryOf("a.1"), EntryOf("a.3")));
}

// A journal of an older worker.
TEST_F(ClaimJournalTest, LinesOfOlderWorkersAreRead) {
  const auto journal = Open();
  ASSERT_TRUE(journal->Begin(EntryOf("a.1")).ok());
  std::string line = Text();
  line.insert(line.rfind('}'), R"(,"sent_at_us":1769860800123456)");
  EXPECT_THAT(ParseJournal(line), ElementsAre(EntryOf("a.1")));
}

TEST_F(ClaimJournalTest, JournalOfRunningWorkerIsUntouched) {
  const auto alive = Open();
  ASSERT_TRUE(alive->Begin(EntryOf("a.1")).ok());
  const auto other = Open();
  EXPECT_THAT(Abandoned(*other), IsEmpty());
  EXPECT_THAT(Files(), SizeIs(2));
}

TEST_F(ClaimJournalTest, JournalGoesWhenAllClaimsAreSettled) {
  auto dead = Open();
  ASSERT_TRUE(dead->Begin(EntryOf("a.1")).ok());
  LeaveForNextWorker(Text());
  dead.reset();
  const auto journal = Open();
  EXPECT_THAT(Abandoned(*journal, false), SizeIs(2));
  EXPECT_THAT(Abandoned(*journal, true), SizeIs(2));
  EXPECT_THAT(Abandoned(*journal, true), IsEmpty());
  EXPECT_FALSE(Exists(PathOf("123456789")));
}

TEST_F(ClaimJournalTest, HostileJournalsAreHarmless) {
  auto dead = Open();
  ASSERT_TRUE(dead->Begin(EntryOf("a.1")).ok());
  const std::string line = Text();
  dead->End(EntryOf("a.1"));
  dead.reset();
  LeaveForNextWorker(line.substr(0, line.size() / 2), "100000001");
  LeaveForNextWorker(
      absl::StrCat("{\n[]\n{\"event\": 3}\n\xff\n", std::string(3, '\0'), "\n", line), "100000002");
  LeaveForNextWorker(std::string(5000, '['), "100000003");
  LeaveForNextWorker(absl::StrCat(std::string(2 << 20, '\n'), line), "100000004");
  LeaveForNextWorker(line, "1");  // not the name of a journal
  ASSERT_EQ(symlink("/etc/passwd", PathOf("100000005").c_str()), 0);
  ASSERT_EQ(mkfifo(PathOf("100000006").c_str(), 0600), 0);
  ASSERT_EQ(mkdir(PathOf("100000007").c_str(), 0700), 0);
  const auto journal = Open();
  EXPECT_THAT(Abandoned(*journal), ElementsAre("a.1", "a.1"));
  EXPECT_THAT(Abandoned(*journal), IsEmpty());
  EXPECT_FALSE(Exists(PathOf("100000001")));
  EXPECT_FALSE(Exists(PathOf("100000004")));
  EXPECT_TRUE(Exists(PathOf("1")));
}

TEST_F(ClaimJournalTest, UnwritableJournalIsAnError) {
  EXPECT_TRUE(IsMachineFault(ClaimJournal::Open("/nonexistent", true).status()));
  EXPECT_TRUE(IsMachineFault(ClaimJournal::Open("/proc", false).status()));
}

}  // namespace
}  // namespace sparkles
