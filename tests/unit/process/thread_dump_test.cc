#include "process/thread_dump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/thread.h"
#include "process/thread_stacks.h"

namespace sparkles {

// Outside the unnamed namespace and never inlined, because the test searches for these names.
__attribute__((noinline)) void StuckInATest(int fd) {
  char byte;
  EXPECT_EQ(read(fd, &byte, 1), 0);
}

__attribute__((noinline)) void CallsStuckInATest(int fd) {
  StuckInATest(fd);
  EXPECT_GE(fd, 0);  // prevents a tail call
}

namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A thread that waits in StuckInATest until this object is destroyed.
class StuckThread {
 public:
  StuckThread() {
    PrepareThreadStacks();
    EXPECT_EQ(pipe(ends_), 0);
    thread_ = StartThread("stuck-thread", [this] {
                id_ = static_cast<pid_t>(syscall(SYS_gettid));
                CallsStuckInATest(ends_[0]);
              }).value();
    const auto sleeps = [] {
      std::vector<std::string> lines = Dump();
      for (const std::string& line : lines) {
        if (absl::StrContains(line, "'stuck-thread': S")) return true;
      }
      return false;
    };
    while (id_ == 0 || !sleeps()) std::this_thread::yield();
  }
  ~StuckThread() {
    close(ends_[1]);
    thread_.join();
    close(ends_[0]);
  }

  pid_t id() const { return id_; }

  static std::vector<std::string> Dump() {
    std::vector<std::string> lines;
    DumpThreads([&lines](absl::string_view line) {
      lines.emplace_back(line);
      return true;
    });
    return lines;
  }

 private:
  int ends_[2] = {-1, -1};
  std::atomic<pid_t> id_ = 0;
  std::thread thread_;
};

// Returns what `addr2line` prints for an address of this program.
std::string FunctionAt(absl::string_view address) {
  const std::string command =
      absl::StrCat("addr2line -f -e /proc/", getpid(), "/exe ", address, " 2>&1");
  FILE* const pipe = popen(command.c_str(), "r");
  char buffer[4096] = "";
  const size_t got = fread(buffer, 1, sizeof buffer - 1, pipe);
  pclose(pipe);
  return std::string(buffer, got);
}

// The functions of all addresses of `line` that lie in this program, innermost first.
std::vector<std::string> FunctionsIn(const std::string& line) {
  std::vector<std::string> functions;
  for (const absl::string_view word : absl::StrSplit(line, ' ')) {
    const std::vector<std::string> parts = absl::StrSplit(word, '+');
    if (parts.size() != 2 || parts[0] != "sparklesworker") continue;
    const std::string place = FunctionAt(parts[1]);
    for (const char* name : {"CallsStuckInATest", "StuckInATest"}) {
      if (!absl::StrContains(place, name)) continue;
      functions.emplace_back(name);
      break;
    }
  }
  return functions;
}

TEST(ThreadDumpTest, DumpShowsEveryThreadAndStack) {
  const StuckThread stuck;
  const std::string start = absl::StrCat("thread ", stuck.id(), " 'stuck-thread': ");
  const auto in_call =
      AllOf(HasSubstr(start + "S"), HasSubstr(absl::StrCat("system call ", SYS_read)));
  std::vector<std::string> lines;
  std::vector<std::string>::iterator stack;
  for (int i = 0; i < 100; ++i) {  // on a busy machine, the thread may answer late
    lines = StuckThread::Dump();
    stack = std::find_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return absl::StartsWith(line, start + "stack");
    });
    if (stack != lines.end() && testing::Value(lines, Contains(in_call))) break;
  }
  ASSERT_GE(lines.size(), 5) << "a head line, and two lines for each of two threads";
  EXPECT_THAT(lines[0], AllOf(HasSubstr(" threads"), HasSubstr("build id ")));
  EXPECT_THAT(lines, Contains(HasSubstr(absl::StrCat("thread ", getpid(), " 'main': R"))));
  EXPECT_THAT(lines, Contains(in_call));
  ASSERT_NE(stack, lines.end());
  EXPECT_THAT(FunctionsIn(*stack), ElementsAre("StuckInATest", "CallsStuckInATest")) << *stack;
}

TEST(ThreadStacksTest, ScanFindsCallersWithoutUnwinder) {
  const StuckThread stuck;
  const ThreadStack stack = ReadThreadStack(stuck.id(), absl::Seconds(10), /*scan_only=*/true);
  EXPECT_EQ(stack.source, StackSource::kScanned);
  const ThreadStack exact = ReadThreadStack(stuck.id(), absl::Seconds(10));
  EXPECT_EQ(exact.source, StackSource::kUnwound);
  ASSERT_GE(exact.addresses.size(), 3);
  size_t found = 0;
  for (const uintptr_t address : exact.addresses) {
    for (const uintptr_t scanned : stack.addresses) found += scanned == address ? 1 : 0;
  }
  EXPECT_GE(found, 3) << "the innermost function and its two callers";
}

TEST(ThreadStacksTest, BlockedThreadIsNotAwaitedLong) {
  PrepareThreadStacks();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::atomic<pid_t> id = 0;
  std::thread deaf = StartThread("deaf", [&] {
                       sigset_t all;
                       sigfillset(&all);
                       pthread_sigmask(SIG_SETMASK, &all, nullptr);
                       id = static_cast<pid_t>(syscall(SYS_gettid));
                       char byte;
                       EXPECT_EQ(read(ends[0], &byte, 1), 0);
                     }).value();
  while (id == 0) std::this_thread::yield();
  EXPECT_TRUE(ReadThreadStack(id, absl::Milliseconds(10)).addresses.empty());
  const pid_t self = static_cast<pid_t>(syscall(SYS_gettid));
  EXPECT_FALSE(ReadThreadStack(self, absl::Seconds(10)).addresses.empty())
      << "other threads still answer";
  close(ends[1]);
  deaf.join();
  close(ends[0]);
}

}  // namespace
}  // namespace sparkles
