#include "gcp/preemption_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <vector>

#include "http/transient.h"
#include "tests/support/fake_clock.h"
#include "tests/support/recorded_log.h"
#include "tests/support/scripted_transport.h"

namespace sparkles {
namespace {

using testing::HasSubstr;

constexpr char kPlain[] = "GET http://vm/computeMetadata/v1/instance/preempted";

HttpResponse MetadataAnswer(absl::string_view text, absl::string_view etag, int status = 200) {
  return MakeResponse(status, text, {{"Metadata-Flavor", "Google"}, {"ETag", std::string(etag)}});
}

class PreemptionWatchTest : public testing::Test {
 protected:
  // The next request hangs, as a long poll does, until the watch is destroyed.
  void RunUntilEnd() {
    transport_.Do("wait_for_change",
                  [this](const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
                    asked_.Cancel(CancelKind::kAbort, "");
                    const CancelToken never;
                    AwaitCancel(*request.cancel, never);
                    return absl::CancelledError("");
                  });
  }

  FakeClock clock_;
  ScriptedTransport transport_;
  MetadataServer metadata_{{"vm", true}, transport_, clock_};
  RecordedLog recorded_;
  CancelToken stop_;
  CancelToken asked_;
  const CancelToken never_;
};

TEST_F(PreemptionWatchTest, PreemptionBeforeStartIsSeen) {
  transport_.Answer(kPlain, MetadataAnswer("TRUE\n", "b"));
  const PreemptionWatch watch(metadata_, clock_, never_, stop_, recorded_.log());
  EXPECT_EQ(stop_.kind(), CancelKind::kHandBack);
  EXPECT_EQ(stop_.reason(), "the VM is being preempted");
}

TEST_F(PreemptionWatchTest, StopPrecedesLogLine) {
  // Each log line first reads the clock.
  struct LineClock : public FakeClock {
    absl::Time Now() override {
      stopped_by_then = stop->cancelled();
      return FakeClock::Now();
    }
    const CancelToken* stop = nullptr;
    std::optional<bool> stopped_by_then;
  } clock;
  clock.stop = &stop_;
  LogSink sink(clock, STDERR_FILENO, LogFormat::kText, Severity::kInfo);
  transport_.Answer(kPlain, MetadataAnswer("TRUE\n", "b"));
  const PreemptionWatch watch(metadata_, clock_, never_, stop_, Log(sink));
  EXPECT_EQ(clock.stopped_by_then, std::optional(true));
}

TEST_F(PreemptionWatchTest, NoticeStopsWorker) {
  transport_.Answer(kPlain, MetadataAnswer("FALSE", "a"));
  transport_.Answer("instance/preempted?wait_for_change=true&last_etag=a&timeout_sec=60",
                    MetadataAnswer("FALSE", "a"));
  transport_.Answer("last_etag=a", MetadataAnswer("TRUE", "b"));
  const PreemptionWatch watch(metadata_, clock_, never_, stop_, recorded_.log());
  EXPECT_TRUE(AwaitCancel(stop_, never_));
  EXPECT_EQ(transport_.lines().size(), 3U);
}

TEST_F(PreemptionWatchTest, ErrorsAreRetried) {
  transport_.Fail(kPlain, Transient(absl::UnavailableError("refused"), false));
  transport_.Answer("wait_for_change", MetadataAnswer("", "", 404));
  transport_.Answer("wait_for_change", MakeResponse(503, ""));
  transport_.Answer("wait_for_change", MakeResponse(200, "log in to the hotel's network"));
  transport_.Answer("wait_for_change", MetadataAnswer("TRUE", "b"));
  const PreemptionWatch watch(metadata_, clock_, never_, stop_, recorded_.log());
  EXPECT_TRUE(AwaitCancel(stop_, never_));
  const std::vector<absl::Duration> pauses = clock_.sleeps();
  ASSERT_EQ(pauses.size(), 4U);
  for (size_t i = 1; i < pauses.size(); ++i) EXPECT_GE(pauses[i], absl::Milliseconds(500));
}

TEST_F(PreemptionWatchTest, HtmlPageAtStartIsRetried) {
  transport_.Answer(kPlain, MakeResponse(200, "log in to the hotel's network"));
  transport_.Answer("wait_for_change", MetadataAnswer("TRUE", "b"));
  const PreemptionWatch watch(metadata_, clock_, never_, stop_, recorded_.log());
  EXPECT_TRUE(AwaitCancel(stop_, never_));
}

TEST_F(PreemptionWatchTest, MissingValueDisablesWatch) {
  transport_.Answer(kPlain, MetadataAnswer("Not Found", "", 404));
  {
    const PreemptionWatch watch(metadata_, clock_, never_, stop_, recorded_.log());
  }
  EXPECT_FALSE(stop_.cancelled());
  EXPECT_THAT(recorded_.Text(), HasSubstr("preemption is not watched"));
}

TEST_F(PreemptionWatchTest, DestructorEndsPendingRequest) {
  transport_.Answer(kPlain, MetadataAnswer("FALSE", "a"));
  RunUntilEnd();
  {
    const PreemptionWatch watch(metadata_, clock_, never_, stop_, recorded_.log());
    EXPECT_TRUE(AwaitCancel(asked_, never_));
  }
  EXPECT_FALSE(stop_.cancelled());
}

}  // namespace
}  // namespace sparkles
