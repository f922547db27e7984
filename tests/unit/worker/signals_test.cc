#include "worker/signals.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/eventually.h"
#include "tests/support/only_thread.h"
#include "tests/support/recorded_log.h"
#include "worker/exit_timer.h"

namespace sparkles {
namespace {

bool IsPending(int signal) {
  sigset_t pending;
  sigpending(&pending);
  return sigismember(&pending, signal) == 1;
}

// Long, because only a failing test waits for so long.
constexpr int kMaxWaitMilliseconds = 30'000;

bool WaitForCancel(const CancelToken& token) {
  pollfd waited{token.fd(), POLLIN, 0};
  return poll(&waited, 1, kMaxWaitMilliseconds) == 1;
}

bool WaitUntilReceived(int signal) {
  const absl::Time end = absl::Now() + absl::Milliseconds(kMaxWaitMilliseconds);
  while (IsPending(signal) && absl::Now() < end) std::this_thread::yield();
  return !IsPending(signal);
}

// Restores the signal handling of the test program.
class StopSignalsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(AwaitOnlyThread());
    ASSERT_EQ(pthread_sigmask(SIG_SETMASK, nullptr, &old_mask_), 0);
    BlockSignals();
  }
  void TearDown() override {
    sigset_t all;
    sigemptyset(&all);
    for (const int signal : {SIGTERM, SIGINT, SIGUSR2, SIGXCPU, SIGUSR1, SIGQUIT, SIGHUP, SIGALRM,
                             SIGVTALRM, SIGPROF, SIGPWR, SIGIO, SIGSTKFLT, SIGRTMIN, SIGRTMAX}) {
      sigaddset(&all, signal);
    }
    const timespec at_once = {};
    while (sigtimedwait(&all, nullptr, &at_once) > 0) continue;
    pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
  }

  CancelToken stop_;
  CancelToken drain_{&stop_};
  RecordedLog log_;

 private:
  sigset_t old_mask_;
};

TEST_F(StopSignalsTest, SigtermHandsBack) {  // D36
  const StopSignals signals(stop_, drain_, log_.sink());
  EXPECT_EQ(signals.received(), 0);
  kill(getpid(), SIGTERM);
  ASSERT_TRUE(WaitForCancel(stop_));
  EXPECT_EQ(stop_.kind(), CancelKind::kHandBack);
  EXPECT_EQ(stop_.reason(), "the worker was stopped by SIGTERM");
  EXPECT_EQ(signals.received(), SIGTERM);
}

TEST_F(StopSignalsTest, SigintHandsBack) {
  const StopSignals signals(stop_, drain_, log_.sink());
  kill(getpid(), SIGINT);
  ASSERT_TRUE(WaitForCancel(stop_));
  EXPECT_EQ(stop_.reason(), "the worker was stopped by SIGINT");
  EXPECT_EQ(signals.received(), SIGINT);
}

TEST_F(StopSignalsTest, SighupDoesNotStop) {
  const StopSignals signals(stop_, drain_, log_.sink());
  kill(getpid(), SIGHUP);
  EXPECT_TRUE(WaitUntilReceived(SIGHUP));
  EXPECT_FALSE(stop_.cancelled());
  EXPECT_EQ(signals.received(), 0);
}

TEST_F(StopSignalsTest, FirstSignalIsReported) {
  const StopSignals signals(stop_, drain_, log_.sink());
  kill(getpid(), SIGINT);
  ASSERT_TRUE(WaitForCancel(stop_));
  kill(getpid(), SIGTERM);
  EXPECT_TRUE(WaitUntilReceived(SIGTERM));
  EXPECT_EQ(signals.received(), SIGINT);
  EXPECT_EQ(stop_.reason(), "the worker was stopped by SIGINT");
}

TEST_F(StopSignalsTest, PendingSignalIsReceived) {
  kill(getpid(), SIGTERM);
  EXPECT_FALSE(stop_.cancelled());
  const StopSignals signals(stop_, drain_, log_.sink());
  EXPECT_TRUE(WaitForCancel(stop_));
}

TEST_F(StopSignalsTest, OnlyLaterSecondSignalHurries) {
  bool was_echo = false;
  for (int i = 0; i < 10 && !was_echo; ++i) {  // on a busy machine the second signal may be late
    CancelToken stop;
    CancelToken drain;
    const StopSignals signals(stop, drain, log_.sink());
    const absl::Time start = absl::Now();
    kill(getpid(), SIGTERM);
    ASSERT_TRUE(WaitForCancel(stop));
    kill(getpid(), SIGTERM);
    EXPECT_TRUE(WaitUntilReceived(SIGTERM));
    kill(getpid(), SIGUSR1);
    ASSERT_TRUE(WaitForCancel(drain));  // so the second signal was handled
    was_echo = absl::Now() - start < kSameRequest;
    if (!was_echo) continue;
    EXPECT_FALSE(stop.hurried());
    absl::SleepFor(kSameRequest + absl::Milliseconds(100));
    kill(getpid(), SIGINT);
    EXPECT_TRUE(Eventually([&] { return stop.hurried(); }));
    EXPECT_EQ(signals.received(), SIGTERM);
  }
  EXPECT_TRUE(was_echo);
}

TEST_F(StopSignalsTest, Usr2AndXcpuStop) {
  for (const auto& [signal, name] : {std::pair{SIGUSR2, "SIGUSR2"}, {SIGXCPU, "SIGXCPU"}}) {
    CancelToken stop;
    const StopSignals signals(stop, drain_, log_.sink());
    kill(getpid(), signal);
    ASSERT_TRUE(WaitForCancel(stop));
    EXPECT_EQ(stop.reason(), absl::StrCat("the worker was stopped by ", name));
    EXPECT_EQ(signals.received(), signal);
  }
}

TEST_F(StopSignalsTest, RepeatedXcpuDoesNotHurry) {
  const StopSignals signals(stop_, drain_, log_.sink());
  kill(getpid(), SIGXCPU);
  ASSERT_TRUE(WaitForCancel(stop_));
  absl::SleepFor(kSameRequest + absl::Milliseconds(100));
  kill(getpid(), SIGXCPU);
  EXPECT_TRUE(WaitUntilReceived(SIGXCPU));
  kill(getpid(), SIGHUP);
  EXPECT_TRUE(Eventually([&] { return log_.Text() != ""; }));  // so SIGXCPU was handled
  EXPECT_FALSE(stop_.hurried());
}

TEST_F(StopSignalsTest, OtherSignalsAreIgnoredAndLogged) {
  const StopSignals signals(stop_, drain_, log_.sink());
  for (const int signal :
       {SIGHUP, SIGALRM, SIGVTALRM, SIGPROF, SIGPWR, SIGIO, SIGSTKFLT, SIGRTMIN, SIGRTMAX}) {
    kill(getpid(), signal);
    EXPECT_TRUE(WaitUntilReceived(signal));
    const std::string said = absl::StrCat("signal ", signal, " (");
    EXPECT_TRUE(Eventually([&] { return absl::StrContains(log_.Text(), said); })) << said;
  }
  const std::string text = log_.Text();
  kill(getpid(), SIGPROF);
  EXPECT_TRUE(WaitUntilReceived(SIGPROF));
  kill(getpid(), SIGUSR1);
  ASSERT_TRUE(WaitForCancel(drain_));  // so SIGPROF was handled
  EXPECT_EQ(log_.Text(), text) << "said once";
  EXPECT_FALSE(stop_.cancelled());
}

TEST_F(StopSignalsTest, OnlyKernelAlarmEndsProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        BlockSignals();
        const StopSignals signals(stop_, drain_, log_.sink());
        StartExitTimer(absl::Minutes(1), 9);
        kill(getpid(), SIGALRM);
        absl::SleepFor(absl::Milliseconds(200));
        StartExitTimer(absl::Seconds(1), 7);
        while (true) pause();
      },
      testing::ExitedWithCode(7), "");
}

TEST_F(StopSignalsTest, Usr1AndQuitDrain) {
  for (const int signal : {SIGUSR1, SIGQUIT}) {
    CancelToken drain(&stop_);
    const StopSignals signals(stop_, drain, log_.sink());
    kill(getpid(), signal);
    ASSERT_TRUE(WaitForCancel(drain));
    EXPECT_FALSE(stop_.cancelled());
    EXPECT_EQ(signals.received(), 0);
  }
}

TEST_F(StopSignalsTest, SignalAfterPreemptionIsIgnored) {
  stop_.Cancel(CancelKind::kHandBack, "preempted");
  const StopSignals signals(stop_, drain_, log_.sink());
  kill(getpid(), SIGTERM);
  EXPECT_TRUE(WaitUntilReceived(SIGTERM));
  EXPECT_EQ(signals.received(), 0);
  EXPECT_FALSE(stop_.hurried());
}

TEST_F(StopSignalsTest, HandlerEndsWithoutSignal) {
  {
    const StopSignals signals(stop_, drain_, log_.sink());
  }
  EXPECT_FALSE(stop_.cancelled());
}

TEST_F(StopSignalsTest, BrokenPipeDoesNotKillWorker) {
  struct sigaction before;
  ASSERT_EQ(sigaction(SIGPIPE, nullptr, &before), 0);
  IgnoreWriteSignals();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  EXPECT_EQ(write(ends[1], "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  close(ends[1]);
  ASSERT_EQ(sigaction(SIGPIPE, &before, nullptr), 0);
}

}  // namespace
}  // namespace sparkles
