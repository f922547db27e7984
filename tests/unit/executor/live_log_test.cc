#include "executor/live_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <optional>

#include "absl/strings/match.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/support/eventually.h"
#include "tests/support/executor_fixture.h"

namespace sparkles {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

int CountOf(const std::string& text, const std::string& part) {
  int count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// A store that never ends an Append before the activity is cancelled.
class HangingStore : public MemStore {
 public:
  absl::StatusOr<ObjectInfo> Append(int, uint64_t, const std::string&, const ObjectInfo&,
                                    const UploadOptions&, const Activity& activity) override {
    hangs = true;
    const CancelToken never;
    (void)AwaitCancel(activity.cancel(), never);
    return absl::CancelledError(activity.cancel().reason());
  }

  std::atomic<bool> hangs = false;
};

class LiveLogTest : public ExecutorFixture {
 protected:
  LiveLogTest() {
    options_.log_every = absl::Seconds(60);
    // FakeClock does not wait; this keeps the thread from using a whole core.
    clock_.OnSleep([](size_t) { usleep(1000); });
  }

  // Starts the live log of the worker's next task, whose log is "text\n".
  LiveLog& Start(ObjectStore& store, const std::string& url = kStdout) {
    if (!executor_) {
      log_ = *OpenFile(directory_ / "log", O_CREAT | O_RDWR | O_APPEND);
      EXPECT_TRUE(WriteAll(log_.get(), "text\n", "log").ok());
      cache_.emplace(directory_ / "cache", store, clock_);
      executor_.reset(new Executor{.options = options_,
                                   .clock = clock_,
                                   .runner = runner_,
                                   .store = store,
                                   .cache = *cache_,
                                   .current = current_,
                                   .log = recorded_.log()});
    }
    live_.emplace(*executor_, log_.get(), url, cancel_, confirm_claim_, recorded_.log());
    return *live_;
  }
  void AwaitSleeps(size_t count) {
    const size_t before = clock_.sleeps().size();
    EXPECT_TRUE(Eventually([&] { return clock_.sleeps().size() >= before + count; }));
  }

  UniqueFd log_;
  std::optional<ContentCache> cache_;
  std::unique_ptr<Executor> executor_;
  std::optional<LiveLog> live_;
};

TEST_F(LiveLogTest, LogIsReadableDuringCommand) {
  scripts_["command"] = [this](const Command& command, const Activity&) {
    for (const std::string line : {"first\n", "second\n"}) {
      EXPECT_TRUE(WriteAll(command.output_fd, line, "stdout").ok());
      EXPECT_TRUE(Eventually([&] { return absl::EndsWith(Stdout(), line); })) << Stdout();
    }
    EXPECT_TRUE(WriteAll(command.output_fd, "last\n", "stdout").ok());
    return ExitedWith(0);
  };
  EXPECT_EQ(Run().kind, Outcome::Kind::kComplete);
  EXPECT_THAT(Stdout(), testing::EndsWith("first\nsecond\nlast\n"));
  const Json result = Result();
  for (const Json& file : result["files"]) {
    if (file["src"] != "stdout.txt") continue;
    EXPECT_EQ(file["size"], Stdout().size());
    EXPECT_EQ(file["crc32c"], Crc32c(Stdout()));
    EXPECT_EQ(file["generation"], memory_.GenerationOf(kStdout));
  }
  EXPECT_THAT(memory_.Urls(), testing::Not(testing::Contains(HasSubstr(kPartSuffix))));
}

TEST_F(LiveLogTest, StoppedTaskDeliversWholeLog) {
  scripts_["command"] = [this](const Command& command, const Activity&) {
    EXPECT_TRUE(WriteAll(command.output_fd, "first\n", "stdout").ok());
    EXPECT_TRUE(Eventually([&] { return absl::EndsWith(Stdout(), "first\n"); }));
    cancel_.Cancel(CancelKind::kHandBack, "preempted");
    EXPECT_TRUE(WriteAll(command.output_fd, "last\n", "stdout").ok());
    return DiedOf(15);
  };
  EXPECT_EQ(Run().kind, Outcome::Kind::kHandBack);
  EXPECT_THAT(Stdout(), HasSubstr("first\nlast\nsparkles: preempted\n"));
}

TEST_F(LiveLogTest, LostClaimEndsSends) {
  std::atomic<int> asked = 0;
  confirm_claim_ = [&asked](Freshness, const CancelToken&) {
    ++asked;
    return ClaimState::kLost;
  };
  Start(store_);
  EXPECT_TRUE(Eventually([&] { return asked > 0; }));
  usleep(10'000);
  EXPECT_EQ(asked, 1);
  live_->Stop();
  EXPECT_EQ(Stdout(), "(none)");
  EXPECT_THAT(steps_, IsEmpty());
}

TEST_F(LiveLogTest, LostClaimReplacesNothing) {
  memory_.Put(kStdout, "the next attempt's");
  std::atomic<bool> asked = false;
  confirm_claim_ = [&asked](Freshness freshness, const CancelToken&) {
    asked = asked || freshness == Freshness::kNow;
    return freshness == Freshness::kNow ? ClaimState::kLost : ClaimState::kHeld;
  };
  Start(store_);
  EXPECT_TRUE(Eventually([&] { return asked.load(); }));
  live_->Stop();
  EXPECT_EQ(Stdout(), "the next attempt's");
}

TEST_F(LiveLogTest, UnknownClaimStopsNoSend) {
  confirm_claim_ = [](Freshness, const CancelToken&) {
    return absl::StatusOr<ClaimState>(absl::UnavailableError("no answer"));
  };
  Start(store_);
  EXPECT_TRUE(Eventually([&] { return Stdout() == "text\n"; }));
  live_->Stop();
}

TEST_F(LiveLogTest, HungSendDelaysNoStop) {
  HangingStore hanging;
  Start(hanging);
  EXPECT_TRUE(Eventually([&] { return hanging.hangs.load(); }));
  live_->Stop();
  const auto info = live_->Deliver({}, {}, {});
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(hanging.Get(kStdout), "text\n");
}

TEST_F(LiveLogTest, RefusedBucketIsToldOnce) {
  failing_.Add({.method = StoreMethod::kRemove, .status = absl::PermissionDeniedError("kept")});
  for (const std::string url : {"gs://out/1/log", "gs://out/2/log", "gs://other/3/log"}) {
    LiveLog& live = Start(store_, url);
    if (url != "gs://out/2/log") {
      EXPECT_TRUE(Eventually([&] { return memory_.Get(url + kPartSuffix).has_value(); })) << url;
    } else {
      usleep(20'000);
    }
    live.Stop();
    EXPECT_TRUE(live.Deliver({}, {}, {}).ok());
    EXPECT_EQ(memory_.Get(url), "text\n");
  }
  EXPECT_EQ(memory_.Get("gs://out/2/log.sparkles-part"), std::nullopt);
  EXPECT_EQ(CountOf(recorded_.Text(), "cannot replace objects there"), 2) << recorded_.Text();
}

TEST_F(LiveLogTest, FailedSendsWarnEachTenMinutes) {
  failing_.Add({.method = StoreMethod::kAppend, .status = absl::PermissionDeniedError("no")});
  Start(store_);
  AwaitSleeps(25);  // of a minute
  live_->Stop();
  const int warnings = CountOf(recorded_.Text(), "it is sent again later: no");
  const auto minutes = static_cast<int>(clock_.sleeps().size());
  EXPECT_GE(warnings, 2) << recorded_.Text();
  EXPECT_LE(warnings, minutes / 10 + 1);
}

TEST_F(LiveLogTest, FilesAndDisabledLogsAreNotSent) {
  Start(store_, "file:///somewhere/stdout.txt");
  usleep(10'000);
  live_->Stop();
  options_.log_every = absl::ZeroDuration();
  executor_ = nullptr;
  Start(store_);
  usleep(10'000);
  live_->Stop();
  EXPECT_THAT(steps_, IsEmpty());
  EXPECT_THAT(clock_.sleeps(), IsEmpty());
}

TEST_F(LiveLogTest, OutputNamedLikePartStays) {
  const std::string part = std::string(kStdout) + kPartSuffix;
  LiveLog& live = Start(memory_);
  ASSERT_TRUE(WriteAll(log_.get(), std::string(kWholeLogBytes, 'x'), "log").ok());
  EXPECT_TRUE(Eventually([&] { return memory_.Get(kStdout).has_value(); }));
  live.Stop();
  ASSERT_TRUE(WriteAll(log_.get(), "end\n", "log").ok());
  memory_.Put(part, "an output");
  DeliveredFile output;
  output.dst_url = part;
  EXPECT_TRUE(live.Deliver({output}, {}, {}).ok());
  EXPECT_EQ(memory_.Get(part), "an output");
  EXPECT_TRUE(absl::EndsWith(Stdout(), "xxend\n"));
}

TEST(LiveLogNotes, WarningsAreTenMinutesApart) {
  LiveLogNotes notes;
  const absl::Time start = absl::FromUnixSeconds(1'000'000);
  EXPECT_TRUE(notes.MayWarn(start));
  EXPECT_FALSE(notes.MayWarn(start + absl::Minutes(9)));
  EXPECT_TRUE(notes.MayWarn(start + absl::Minutes(10)));
  EXPECT_TRUE(notes.MayWarn(start - absl::Minutes(10))) << "the clock was set back";
}

}  // namespace
}  // namespace sparkles
