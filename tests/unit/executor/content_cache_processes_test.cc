// Tests of processes that share a cache: one fills an entry, and may be killed while it does.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>

#include "base/hash.h"
#include "executor/content_cache.h"
#include "tests/support/mem_store.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

// Kills a hanging child, so that the test fails.
constexpr unsigned kChildSeconds = 30;

// Events between the processes of a test: bytes in a pipe.
class Events {
 public:
  Events() {
    if (pipe(ends_.data()) != 0) abort();
  }
  ~Events() {
    for (const int end : ends_) close(end);
  }
  void Send() const { (void)!write(ends_[1], "!", 1); }
  void Await() const {
    char byte;
    (void)!read(ends_[0], &byte, 1);
  }

 private:
  std::array<int, 2> ends_;
};

// Sends an event when its user starts to wait.
class WaitTellingClock : public SystemClock {
 public:
  explicit WaitTellingClock(const Events& waiting) : waiting_(waiting) {}
  bool Sleep(absl::Duration, const CancelToken& cancel) override {
    waiting_.Send();
    return SystemClock::Sleep(absl::Milliseconds(1), cancel);
  }

 private:
  const Events& waiting_;
};

// Calls `interruption` in the middle of each download.
class InterruptedStore : public MemStore {
 public:
  explicit InterruptedStore(std::function<void()> interruption)
      : interruption_(std::move(interruption)) {}
  absl::StatusOr<ObjectInfo> Download(const std::string& url, int fd,
                                      const Activity& activity) override {
    if (pwrite(fd, "half", 4, 0) != 4) return absl::InternalError("write");
    interruption_();
    return MemStore::Download(url, fd, activity);
  }

 private:
  const std::function<void()> interruption_;
};

class ContentCacheProcesses : public testing::Test {
 protected:
  // Runs `work` in a new process, which exits with its result.
  template <typename Work>
  static pid_t Fork(const Work& work) {
    const pid_t pid = fork();
    if (pid != 0) return pid;
    alarm(kChildSeconds);
    _exit(work());
  }
  static int WaitStatusOf(pid_t pid) {
    int status = -1;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    return status;
  }

  const std::string content_ = std::string(100'000, 'c');
  const std::string url_ = "gs://bucket/" + HexHash(HashKind::kSha256, content_);
  TempDirectory directory_;
};

TEST_F(ContentCacheProcesses, SecondWorkerWaitsForFirstDownload) {  // D51
  const Events waiting;
  const auto worker = [&](const std::string& name) {
    // The download ends when the other process waits for it.
    InterruptedStore store([&] { waiting.Await(); });
    store.Put(url_, content_);
    WaitTellingClock clock(waiting);
    ContentCache cache(directory_ / "cache", store, clock);
    const bool copied = cache.Copy(url_, directory_ / name, 0666, {}).ok();
    return copied ? 10 + store.downloads() : 1;
  };
  const pid_t first = Fork([&] { return worker("first"); });
  const pid_t second = Fork([&] { return worker("second"); });
  const int first_status = WaitStatusOf(first);
  const int second_status = WaitStatusOf(second);
  ASSERT_TRUE(WIFEXITED(first_status) && WIFEXITED(second_status));
  EXPECT_EQ(WEXITSTATUS(first_status) + WEXITSTATUS(second_status), 10 + 11);
  EXPECT_TRUE(*ReadFile(directory_ / "first", 200'000) == content_);
  EXPECT_TRUE(*ReadFile(directory_ / "second", 200'000) == content_);
}

TEST_F(ContentCacheProcesses, KilledWorkerReleasesEntryLock) {
  const pid_t killed = Fork([&] {
    InterruptedStore store([] { raise(SIGKILL); });
    store.Put(url_, content_);
    SystemClock clock;
    ContentCache cache(directory_ / "cache", store, clock);
    return cache.Fetch(url_, {}).ok() ? 0 : 1;
  });
  const int status = WaitStatusOf(killed);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  MemStore store;
  store.Put(url_, content_);
  SystemClock clock;
  ContentCache cache(directory_ / "cache", store, clock);
  ASSERT_TRUE(cache.Copy(url_, directory_ / "copy", 0666, {}).ok());
  EXPECT_TRUE(*ReadFile(directory_ / "copy", 200'000) == content_);
  EXPECT_EQ(store.downloads(), 1);
}

}  // namespace
}  // namespace sparkles
