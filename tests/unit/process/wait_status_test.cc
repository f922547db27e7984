#include "process/wait_status.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <string>
#include <utility>
#include <vector>

namespace sparkles {
namespace {

// Wait statuses as waitpid(2) encodes them.
constexpr int Exit(int code) { return code << 8; }
constexpr int Death(int signal) { return signal; }
constexpr int DeathWithCore(int signal) { return signal | 0x80; }

TEST(WaitStatus, ExitCodesAreWrittenAsNumbers) {
  for (int code = 0; code < 256; ++code) {
    EXPECT_EQ(ReturnCodeText(Exit(code)), std::to_string(code));
    EXPECT_EQ(ExitCodeText(Exit(code)), std::to_string(code));
  }
}

TEST(WaitStatus, SignalsHaveGoNames) {
  const std::vector<std::pair<int, std::string>> names = {
      {SIGHUP, "hangup"},
      {SIGINT, "interrupt"},
      {SIGTRAP, "trace/breakpoint trap"},
      {SIGABRT, "aborted"},
      {SIGFPE, "floating point exception"},
      {SIGKILL, "killed"},
      {SIGUSR1, "user defined signal 1"},
      {SIGSEGV, "segmentation fault"},
      {SIGUSR2, "user defined signal 2"},
      {SIGPIPE, "broken pipe"},
      {SIGTERM, "terminated"},
      {SIGXCPU, "CPU time limit exceeded"},
      {SIGXFSZ, "file size limit exceeded"},
      {SIGSYS, "bad system call"},
      {34, "signal 34"},
      {64, "signal 64"},
  };
  for (const auto& [signal, name] : names) {
    EXPECT_EQ(ReturnCodeText(Death(signal)), "signaled(" + name + ")");
  }
}

TEST(WaitStatus, EverySignalBelow32HasAName) {
  for (int signal = 1; signal < 32; ++signal) {
    EXPECT_NE(ReturnCodeText(Death(signal)), "signaled(signal " + std::to_string(signal) + ")");
  }
}

TEST(WaitStatus, CoreDumpFlagIsIgnored) {
  EXPECT_EQ(ReturnCodeText(DeathWithCore(SIGSEGV)), "signaled(segmentation fault)");
  EXPECT_EQ(ExitCodeText(DeathWithCore(SIGSEGV)), "139");
}

// D25
TEST(WaitStatus, SignalExitCodeIs128PlusSignal) {
  EXPECT_EQ(ExitCodeText(Death(SIGKILL)), "137");
  EXPECT_EQ(ExitCodeText(Death(SIGTERM)), "143");
}

}  // namespace
}  // namespace sparkles
