#include "executor/log_sender.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "base/copy.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/permission.h"
#include "base/status.h"
#include "gcp/api_client.h"
#include "gcp/gcs_client.h"
#include "storage/gcs_store.h"
#include "tests/support/failing_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_gcs.h"
#include "tests/support/mem_store.h"
#include "tests/support/temp_directory.h"
#include "tests/support/watched_store.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kUrl[] = "gs://b/1/stdout.txt";
constexpr char kPart[] = "gs://b/1/stdout.txt.sparkles-part";
constexpr uint64_t kMega = uint64_t{1} << 20;

LogStep Plan(uint64_t size, uint64_t sent, uint64_t tried = 0, bool rewritten = false) {
  return PlanLogSend(size, {{.size = sent, .generation = 1}, tried, rewritten});
}

void ExpectStep(const LogStep& step, LogSend send, uint64_t size) {
  EXPECT_EQ(step.send, send);
  EXPECT_EQ(step.size, size);
}

TEST(PlanLogSend, UnchangedLogIsNotSent) {
  ExpectStep(PlanLogSend(0, {}), LogSend::kNothing, 0);
  ExpectStep(Plan(7, 7), LogSend::kNothing, 0);
  ExpectStep(Plan(70 * kMega, 70 * kMega), LogSend::kNothing, 0);
}

TEST(PlanLogSend, SmallLogIsSentWhole) {
  ExpectStep(PlanLogSend(5, {}), LogSend::kWhole, 5);
  ExpectStep(Plan(4 * kMega, 5), LogSend::kWhole, 4 * kMega);
  ExpectStep(Plan(5, 7), LogSend::kWhole, 5);
  ExpectStep(Plan(0, 7), LogSend::kWhole, 0);
  ExpectStep(Plan(7, 7, 0, true), LogSend::kWhole, 7);
  ExpectStep(Plan(7, 7, 9 * kMega), LogSend::kWhole, 7);
}

TEST(PlanLogSend, LongLogIsSentInParts) {
  ExpectStep(PlanLogSend(70 * kMega, {}), LogSend::kWhole, 70 * kMega);
  ExpectStep(Plan(70 * kMega, 2), LogSend::kPart, 70 * kMega);
  ExpectStep(Plan(4 * kMega + 1, 4 * kMega), LogSend::kPart, 4 * kMega + 1);
}

TEST(PlanLogSend, UnknownPartIsSentAgainAsItWas) {
  ExpectStep(Plan(70 * kMega, 5 * kMega, 60 * kMega), LogSend::kPart, 60 * kMega);
}

TEST(PlanLogSend, LongRewrittenLogWaitsForTheEnd) {
  ExpectStep(Plan(60 * kMega, 70 * kMega), LogSend::kNothing, 0);
  ExpectStep(Plan(60 * kMega, 50 * kMega, 70 * kMega), LogSend::kNothing, 0);
  ExpectStep(Plan(70 * kMega, 60 * kMega, 0, true), LogSend::kNothing, 0);
}

TEST(PlanLogSend, TrafficIsATenthAboveLogAtMost) {
  const uint64_t sends = 20;
  const uint64_t size = 100'000'000;
  SentLog sent;
  uint64_t traffic = 0;
  for (uint64_t i = 1; i <= sends; ++i) {
    const LogStep step = PlanLogSend(size / sends * i, sent);
    ASSERT_NE(step.send, LogSend::kNothing);
    traffic += step.size - (step.send == LogSend::kPart ? sent.object.size : 0);
    sent.object.size = step.size;
  }
  EXPECT_EQ(sent.object.size, size);
  EXPECT_LE(traffic, size + size / 10);
}

class LogSenderTest : public testing::Test {
 protected:
  LogSenderTest() {
    log_ = *OpenFile(directory_ / "stdout.txt", O_CREAT | O_RDWR | O_APPEND);
    sender_ = std::make_unique<LogSender>(store_, clock_, log_.get(), kUrl, stop_);
  }

  // Adds `size` bytes to the log, others each time.
  void Print(uint64_t size) {
    const std::string text(size, static_cast<char>('a' + printed_++ % 26));
    ASSERT_TRUE(WriteAll(log_.get(), text, "log").ok());
  }
  std::string Log() { return ReadFile(directory_ / "stdout.txt", 1 << 30).value(); }
  void Truncate(uint64_t size) { ASSERT_EQ(ftruncate(log_.get(), static_cast<off_t>(size)), 0); }
  // Not by log_, which only appends.
  void Overwrite(uint64_t offset, absl::string_view text) {
    ASSERT_TRUE(WriteAt(OpenFile(directory_ / "stdout.txt", O_WRONLY)->get(), offset, text).ok());
  }

  UploadOptions Options() {
    return {.before_replacing = [this] { return before_replacing_(); }};
  }
  absl::Status Send() {
    clock_.Advance(absl::Seconds(60));
    return sender_->Send(Options(), {});
  }
  // What the calls since the last one were, after Deliver has stored the whole log.
  std::vector<std::string> Deliver(bool may_append = true) {
    clock_.Advance(absl::Seconds(60));
    calls_.clear();
    const auto info = sender_->Deliver(may_append, Options(), {});
    EXPECT_TRUE(info.ok()) << info.status();
    EXPECT_TRUE(memory_.Get(kUrl) == Log());
    if (info.ok()) {
      EXPECT_EQ(info->size, Log().size());
      EXPECT_EQ(info->crc32c, Crc32c(Log()));
      EXPECT_EQ(info->generation, memory_.GenerationOf(kUrl));
    }
    return calls_;
  }
  void FailNext(StoreMethod method, absl::Status status, bool applied = false) {
    failing_.Add({.method = method, .times = 1, .status = status, .applied = applied});
  }
  static absl::Status Outage() { return MachineFault(absl::UnavailableError("outage")); }

  TempDirectory directory_;
  UniqueFd log_;
  uint64_t printed_ = 0;
  std::function<absl::Status()> before_replacing_ = [] { return absl::OkStatus(); };
  CancelToken stop_;
  FakeClock clock_;
  std::vector<std::string> calls_;
  MemStore memory_;
  FailingStore failing_{memory_};
  WatchedStore store_{failing_, [this](const std::string& call) { calls_.push_back(call); }};
  std::unique_ptr<LogSender> sender_;
};

TEST_F(LogSenderTest, FirstSendProvesReplacement) {
  EXPECT_TRUE(Send().ok());
  EXPECT_THAT(calls_, IsEmpty());
  Print(10);
  EXPECT_TRUE(Send().ok());
  EXPECT_THAT(calls_, ElementsAre("upload " + std::string(kPart), "remove " + std::string(kPart),
                                  "append " + std::string(kUrl)));
  EXPECT_EQ(memory_.Get(kUrl), Log());
  EXPECT_EQ(memory_.Get(kPart), std::nullopt);
  EXPECT_TRUE(Send().ok());
  Print(10);
  EXPECT_TRUE(Send().ok());
  EXPECT_EQ(calls_.size(), 4);
  EXPECT_EQ(memory_.Get(kUrl), Log());
}

TEST_F(LogSenderTest, LongLogIsCompletedByItsRest) {
  for (const uint64_t more : {2 * kMega, 3 * kMega, kMega}) {
    Print(more);
    EXPECT_TRUE(Send().ok());
    EXPECT_TRUE(memory_.Get(kUrl) == Log());
  }
  Print(10);
  EXPECT_THAT(Deliver(), ElementsAre("append " + std::string(kUrl)));
  EXPECT_THAT(Deliver(), IsEmpty());
  Print(10);
  EXPECT_THAT(Deliver(), ElementsAre("append " + std::string(kUrl)));
}

TEST_F(LogSenderTest, UnsentAndSmallLogsAreUploaded) {
  Print(10);
  EXPECT_THAT(Deliver(), ElementsAre("upload " + std::string(kUrl)));
  Print(10);
  EXPECT_TRUE(Send().ok());
  EXPECT_THAT(Deliver(), ElementsAre("upload " + std::string(kUrl)));
}

TEST_F(LogSenderTest, OwnObjectIsReplacedUnasked) {
  before_replacing_ = [] { return absl::CancelledError("asked"); };
  for (int i = 0; i < 3; ++i) {
    Print(10);
    EXPECT_TRUE(Send().ok());
  }
  Deliver();
}

TEST_F(LogSenderTest, LostClaimReplacesNothing) {
  memory_.Put(kUrl, "another worker's");
  before_replacing_ = [] { return absl::CancelledError("the claim is lost"); };
  Print(10);
  EXPECT_TRUE(absl::IsCancelled(Send()));
  EXPECT_EQ(memory_.Get(kUrl), "another worker's");
}

TEST_F(LogSenderTest, RefusedProofSendsNothing) {
  for (const StoreMethod method : {StoreMethod::kUploadBytes, StoreMethod::kRemove}) {
    sender_ = std::make_unique<LogSender>(store_, clock_, log_.get(), kUrl, stop_);
    FailNext(method, absl::PermissionDeniedError("retention"));
    Print(10);
    EXPECT_TRUE(absl::IsPermissionDenied(Send()));
    EXPECT_TRUE(sender_->refused());
    EXPECT_TRUE(sender_->gave_up());
    EXPECT_TRUE(Send().ok());
    EXPECT_EQ(memory_.Get(kUrl), std::nullopt);
  }
  EXPECT_THAT(Deliver(), ElementsAre("upload " + std::string(kUrl)));
}

TEST_F(LogSenderTest, OutageDuringProofIsNoRefusal) {
  FailNext(StoreMethod::kRemove, Outage());
  Print(10);
  EXPECT_FALSE(Send().ok());
  EXPECT_FALSE(sender_->gave_up());
  EXPECT_TRUE(Send().ok());
  EXPECT_EQ(memory_.Get(kUrl), Log());
}

TEST_F(LogSenderTest, ObjectUnderHoldIsLeftAlone) {
  FailNext(StoreMethod::kAppend, MarkObjectProtected(absl::PermissionDeniedError("hold")));
  Print(10);
  EXPECT_FALSE(Send().ok());
  EXPECT_TRUE(sender_->gave_up());
  EXPECT_FALSE(sender_->refused());
}

TEST_F(LogSenderTest, LostResultOfPartIsDetected) {
  Print(5 * kMega);
  EXPECT_TRUE(Send().ok());
  Print(10);
  FailNext(StoreMethod::kAppend, Outage(), /*applied=*/true);
  EXPECT_FALSE(Send().ok());
  EXPECT_FALSE(sender_->gave_up());
  const int64_t generation = memory_.GenerationOf(kUrl);
  Print(10);
  EXPECT_TRUE(Send().ok());
  EXPECT_EQ(memory_.GenerationOf(kUrl), generation) << "the same part is recognised";
  EXPECT_TRUE(Send().ok());
  EXPECT_TRUE(memory_.Get(kUrl) == Log());
  EXPECT_THAT(Deliver(), IsEmpty());
}

TEST_F(LogSenderTest, LostResultOfPartIsCompleted) {
  Print(5 * kMega);
  EXPECT_TRUE(Send().ok());
  Print(10);
  FailNext(StoreMethod::kAppend, Outage(), /*applied=*/true);
  EXPECT_FALSE(Send().ok());
  Print(10);
  EXPECT_THAT(Deliver(), ElementsAre("append " + std::string(kUrl), "append " + std::string(kUrl)));
}

TEST_F(LogSenderTest, LostResultOfWholeLogIsReplaced) {
  int asked = 0;
  before_replacing_ = [&asked] { return ++asked, absl::OkStatus(); };
  Print(10);
  FailNext(StoreMethod::kAppend, Outage(), /*applied=*/true);
  EXPECT_FALSE(Send().ok());
  Print(10);
  EXPECT_TRUE(Send().ok());
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(memory_.Get(kUrl), Log());
}

TEST_F(LogSenderTest, ReplacedObjectEndsSends) {
  Print(5 * kMega);
  EXPECT_TRUE(Send().ok());
  memory_.Put(kUrl, "another worker's");
  Print(10);
  EXPECT_TRUE(absl::IsFailedPrecondition(Send()));
  EXPECT_TRUE(sender_->gave_up());
  EXPECT_EQ(memory_.Get(kUrl), "another worker's");
  int asked = 0;
  before_replacing_ = [&asked] { return ++asked, absl::OkStatus(); };
  EXPECT_THAT(Deliver(), ElementsAre("upload " + std::string(kUrl)));
  EXPECT_EQ(asked, 1);
}

TEST_F(LogSenderTest, TruncatedSmallLogIsSentWhole) {
  Print(5 * kMega);
  EXPECT_TRUE(Send().ok());
  Truncate(0);
  Print(10);
  EXPECT_TRUE(Send().ok());
  EXPECT_EQ(memory_.Get(kUrl), Log());
  Print(5 * kMega);
  EXPECT_TRUE(Send().ok());
  EXPECT_TRUE(memory_.Get(kUrl) == Log());
  EXPECT_THAT(Deliver(), IsEmpty());
}

TEST_F(LogSenderTest, TruncatedLongLogIsUploadedAtEnd) {
  Print(6 * kMega);
  EXPECT_TRUE(Send().ok());
  Truncate(0);
  Print(5 * kMega);
  calls_.clear();
  EXPECT_TRUE(Send().ok());
  Print(5 * kMega);
  EXPECT_TRUE(Send().ok());
  EXPECT_THAT(calls_, IsEmpty());
  EXPECT_THAT(Deliver(), ElementsAre("upload " + std::string(kUrl)));
}

TEST_F(LogSenderTest, OverwrittenBeginningIsFoundAtEnd) {
  Print(6 * kMega);
  EXPECT_TRUE(Send().ok());
  Overwrite(3, "XYZ");
  Print(kMega);
  EXPECT_TRUE(Send().ok());
  EXPECT_THAT(Deliver(), ElementsAre("upload " + std::string(kUrl)));
}

TEST_F(LogSenderTest, FailedRestLeadsToUpload) {
  Print(6 * kMega);
  EXPECT_TRUE(Send().ok());
  Print(10);
  FailNext(StoreMethod::kAppend, absl::UnimplementedError("no compose"));
  EXPECT_THAT(Deliver(), ElementsAre("append " + std::string(kUrl), "upload " + std::string(kUrl)));
}

TEST_F(LogSenderTest, CancelledRestIsNotUploaded) {
  Print(6 * kMega);
  EXPECT_TRUE(Send().ok());
  Print(10);
  FailNext(StoreMethod::kAppend, absl::CancelledError("no time is left"));
  calls_.clear();
  EXPECT_TRUE(absl::IsCancelled(sender_->Deliver(true, Options(), {}).status()));
  EXPECT_THAT(calls_, ElementsAre("append " + std::string(kUrl)));
}

TEST_F(LogSenderTest, OutputNamedLikePartIsKept) {
  Print(6 * kMega);
  EXPECT_TRUE(Send().ok());
  Print(10);
  EXPECT_THAT(Deliver(/*may_append=*/false), ElementsAre("upload " + std::string(kUrl)));
}

TEST_F(LogSenderTest, ChangesAreASecondApart) {
  Print(6 * kMega);
  EXPECT_TRUE(Send().ok());
  Print(10);
  EXPECT_TRUE(sender_->Deliver(true, Options(), {}).ok());
  EXPECT_THAT(clock_.sleeps(), ElementsAre(absl::Seconds(1)));
  // A stop has no time for that.
  Print(10);
  stop_.Cancel(CancelKind::kHandBack, "preempted");
  EXPECT_TRUE(sender_->Deliver(true, Options(), {}).ok());
  EXPECT_EQ(clock_.sleeps().size(), 1);
}

TEST_F(LogSenderTest, NoByteOfLongLogIsSentTwice) {
  FakeGcs server;
  ApiClient api({"http://storage", nullptr}, server, clock_);
  GcsClient client(api, clock_);
  GcsStore store(client);
  LogSender sender(store, clock_, log_.get(), kUrl, stop_);
  for (const uint64_t more : {6 * kMega, kMega, kMega, kMega}) {
    Print(more);
    clock_.Advance(absl::Seconds(60));
    ASSERT_TRUE(sender.Send(Options(), {}).ok());
  }
  Print(kMega);
  const auto info = sender.Deliver(true, Options(), {});
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->crc32c, Crc32c(Log()));
  EXPECT_GE(server.received(), 10 * kMega);
  EXPECT_LE(server.received(), 10 * kMega + 10'000) << "the rest is in the requests themselves";
}

}  // namespace
}  // namespace sparkles
