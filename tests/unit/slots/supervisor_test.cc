#include "slots/supervisor.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "worker/exit_code.h"

namespace sparkles {
namespace {

// Records what the supervisor passes on.
class FakeLogs : public LogPublisher {
 public:
  absl::Status AddLog(const std::string& task_id, const std::string& path) override {
    events.push_back(absl::StrCat("add ", task_id, " ", path));
    return absl::OkStatus();
  }
  void EndLog(const std::string& task_id) override { events.push_back("end " + task_id); }
  void DropOldLogs() override { events.push_back("drop"); }

  std::vector<std::string> events;
};

// Slots are forks of the test that call a function and exit with its result.
class SupervisorTest : public testing::Test {
 protected:
  using Body = std::function<int(int life, const SlotChannel& channel)>;

  // Runs one slot for each body. Returns the exit code.
  int Run(std::vector<Body> bodies) {
    auto board = SlotBoard::Create(static_cast<int>(bodies.size()));
    EXPECT_TRUE(board.ok()) << board.status();
    options_.start = [&](const SlotPlace& place,
                         const SlotDescriptors& descriptors) -> absl::StatusOr<pid_t> {
      const int life = lives_[place.number]++;
      if (refuse_start_) return absl::ResourceExhaustedError("no process");
      const pid_t pid = fork();
      if (pid != 0) return pid;
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (descriptors.log >= 0) dup2(descriptors.log, STDERR_FILENO);
      const SlotChannel channel(UniqueFd(dup(descriptors.channel)));
      close(descriptors.channel);
      _exit(bodies[static_cast<size_t>(place.number)](life, channel));
    };
    options_.restart_waits.fill(absl::Milliseconds(1));
    Supervisor supervisor(options_, **board, {stop_, preempted_, drain_}, Log(sink_));
    return supervisor.Run();
  }

  // Blocks until the parent sends a message.
  static SlotMessage Await(const SlotChannel& channel) {
    while (true) {
      const auto message = channel.Receive();
      if (!message.ok()) _exit(99);
      if (*message && (*message)->kind != SlotMessage::Kind::kMonitor) return **message;
      usleep(1000);
    }
  }

  SystemClock clock_;
  LogSink sink_{clock_, STDERR_FILENO, LogFormat::kText, Severity::kError};
  CancelToken preempted_;
  CancelToken stop_{&preempted_};
  CancelToken drain_{&stop_};
  FakeLogs logs_;
  SupervisorOptions options_;
  std::map<int, int> lives_;  // number of starts of each slot
  bool refuse_start_ = false;
};

TEST_F(SupervisorTest, EndsWhenAllSlotsHaveEnded) {
  const Body done = [](int, const SlotChannel&) { return 0; };
  EXPECT_EQ(Run({done, done, done}), 0);
  EXPECT_EQ(lives_, (std::map<int, int>{{0, 1}, {1, 1}, {2, 1}}));
}

TEST_F(SupervisorTest, FailedSlotIsStartedAgain) {
  const Body done = [](int, const SlotChannel&) { return 0; };
  const Body fails_twice = [](int life, const SlotChannel&) {
    if (life == 0) raise(SIGKILL);
    return life == 1 ? kExitStuck : 0;
  };
  EXPECT_EQ(Run({done, fails_twice}), 0);
  EXPECT_EQ(lives_, (std::map<int, int>{{0, 1}, {1, 3}}));
}

TEST_F(SupervisorTest, SixthFailureIsFinal) {
  EXPECT_EQ(Run({[](int, const SlotChannel&) { return int{kExitStuck}; }}), kExitStuck);
  EXPECT_EQ(lives_[0], 6);
}

TEST_F(SupervisorTest, UnfitMachineIsTriedFiveTimes) {
  const Body unfit = [](int, const SlotChannel&) { return int{kExitMachineUnfit}; };
  EXPECT_EQ(Run({unfit, unfit, unfit}), kExitMachineUnfit);
  EXPECT_EQ(lives_[0] + lives_[1] + lives_[2], 3 + 5);
}

TEST_F(SupervisorTest, SteadySlotHasAllRestartsAgain) {
  options_.steady_time = absl::ZeroDuration();
  const Body ends_well_at_last = [](int life, const SlotChannel&) {
    return life < 9 ? int{kExitStuck} : 0;
  };
  EXPECT_EQ(Run({ends_well_at_last}), 0);
  EXPECT_EQ(lives_[0], 10);
}

TEST_F(SupervisorTest, OtherExitCodesAreFinal) {
  const auto exits = [](int code) { return [code](int, const SlotChannel&) { return code; }; };
  EXPECT_EQ(Run({exits(kExitUsage), exits(kExitVersion), exits(kExitTasksFile), exits(143)}), 143);
  for (const auto& [slot, lives] : lives_) EXPECT_EQ(lives, 1) << slot;
}

TEST_F(SupervisorTest, RefusedProcessesMakeMachineUnfit) {
  refuse_start_ = true;
  EXPECT_EQ(Run({[](int, const SlotChannel&) { return 0; }}), kExitMachineUnfit);
  EXPECT_EQ(lives_[0], 6);
}

TEST_F(SupervisorTest, StopReachesAllSlots) {
  const Body awaits_stop = [](int, const SlotChannel& channel) {
    const SlotMessage message = Await(channel);
    return message.kind == SlotMessage::Kind::kStop && message.first == "why" ? 0 : 1;
  };
  std::thread stopper([this] {
    usleep(50'000);
    stop_.Cancel(CancelKind::kHandBack, "why");
  });
  EXPECT_EQ(Run({awaits_stop, awaits_stop}), 0);
  stopper.join();
}

TEST_F(SupervisorTest, HurryFollowsStop) {
  const Body awaits_both = [](int, const SlotChannel& channel) {
    const bool stopped = Await(channel).kind == SlotMessage::Kind::kStop;
    return stopped && Await(channel).kind == SlotMessage::Kind::kHurry ? 0 : 1;
  };
  std::thread stopper([this] {
    stop_.Cancel(CancelKind::kHandBack, "why");
    usleep(50'000);
    stop_.Hurry();
  });
  EXPECT_EQ(Run({awaits_both}), 0);
  stopper.join();
}

TEST_F(SupervisorTest, PreemptionIsPassedOnAsSuch) {
  preempted_.Cancel(CancelKind::kHandBack, "preempted");
  // No slot starts on a VM that is about to end.
  EXPECT_EQ(Run({[](int, const SlotChannel&) { return 1; }}), 0);
  EXPECT_EQ(lives_[0], 0);
}

TEST_F(SupervisorTest, PreemptionAfterStopIsPassedOn) {
  const Body awaits_both = [](int, const SlotChannel& channel) {
    const bool stopped = Await(channel).kind == SlotMessage::Kind::kStop;
    return stopped && Await(channel).kind == SlotMessage::Kind::kPreempted ? 0 : 1;
  };
  std::thread stopper([this] {
    usleep(50'000);
    stop_.Cancel(CancelKind::kHandBack, "why");
    usleep(50'000);
    preempted_.Cancel(CancelKind::kHandBack, "preempted");
  });
  EXPECT_EQ(Run({awaits_both}), 0);
  stopper.join();
}

TEST_F(SupervisorTest, StoppedSlotIsNotStartedAgain) {
  const Body fails_after_stop = [](int, const SlotChannel& channel) {
    (void)Await(channel);
    return int{kExitMachineUnfit};
  };
  std::thread stopper([this] {
    usleep(50'000);
    stop_.Cancel(CancelKind::kHandBack, "why");
  });
  EXPECT_EQ(Run({fails_after_stop}), kExitMachineUnfit);
  EXPECT_EQ(lives_[0], 1);
  stopper.join();
}

TEST_F(SupervisorTest, LogsOfTasksArePassedOn) {
  options_.logs = &logs_;
  EXPECT_EQ(Run({[](int, const SlotChannel& channel) {
              (void)channel.Send({SlotMessage::Kind::kLogStarts, "a", "/log"});
              (void)channel.Send({SlotMessage::Kind::kLogEnds, "a"});
              (void)channel.Send({SlotMessage::Kind::kDropLogs});
              return 0;
            }}),
            0);
  EXPECT_EQ(logs_.events, (std::vector<std::string>{"add a /log", "end a", "drop"}));
}

TEST_F(SupervisorTest, LogOfDeadSlotHasEnded) {
  options_.logs = &logs_;
  EXPECT_EQ(Run({[](int life, const SlotChannel& channel) {
              if (life > 0) return 0;
              (void)channel.Send({SlotMessage::Kind::kLogStarts, "a", "/log"});
              return int{kExitStuck};
            }}),
            0);
  EXPECT_EQ(logs_.events, (std::vector<std::string>{"add a /log", "end a"}));
}

TEST_F(SupervisorTest, NewMonitorAddressReachesSlots) {
  int calls = 0;
  options_.monitor_address = [&calls] { return ++calls > 2 ? "host:1" : ""; };
  EXPECT_EQ(Run({[](int, const SlotChannel& channel) {
              while (true) {
                const auto message = channel.Receive();
                if (!message.ok()) return 1;
                if (*message && (*message)->first == "host:1") return 0;
                usleep(1000);
              }
            }}),
            0);
}

TEST_F(SupervisorTest, LinesOfLogAreWhole) {
  std::string log;
  options_.on_line = [&log](absl::string_view line) { absl::StrAppend(&log, "<", line, ">"); };
  EXPECT_EQ(Run({[](int, const SlotChannel&) {
              for (const absl::string_view part : {"one\ntw", "o\n", "\nend"}) {
                (void)!write(STDERR_FILENO, part.data(), part.size());
                usleep(20'000);
              }
              return 0;
            }}),
            0);
  EXPECT_EQ(log, "<one\n><two\n><\n><end\n>");
}

}  // namespace
}  // namespace sparkles
