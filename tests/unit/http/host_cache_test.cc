#include "http/host_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace sparkles {
namespace {

using Ips = std::vector<std::string>;

constexpr absl::Duration kMaxWait = absl::Seconds(60);

TEST(HostCacheTest, AnswerIsCachedUntilExpiry) {
  int lookups = 0;
  absl::Duration valid_for = absl::Minutes(1);
  HostCache cache([&](const std::string& host, absl::Duration, const CancelToken*) {
    return HostAddresses{{absl::StrCat(host, ++lookups)}, valid_for};
  });
  EXPECT_EQ(cache.Find("a", kMaxWait, nullptr), Ips{"a1"});
  EXPECT_EQ(cache.Find("a", kMaxWait, nullptr), Ips{"a1"});
  valid_for = absl::ZeroDuration();
  EXPECT_EQ(cache.Find("b", kMaxWait, nullptr), Ips{"b2"});
  EXPECT_EQ(cache.Find("b", kMaxWait, nullptr), Ips{"b3"});
}

TEST(HostCacheTest, FailedLookupIsNotCached) {
  bool works = false;
  HostCache cache([&](const std::string&, absl::Duration, const CancelToken*) {
    return works ? HostAddresses{{"1.2.3.4"}, absl::Minutes(1)} : HostAddresses{};
  });
  EXPECT_EQ(cache.Find("a", kMaxWait, nullptr), Ips{});
  works = true;
  EXPECT_EQ(cache.Find("a", kMaxWait, nullptr), Ips{"1.2.3.4"});
}

TEST(HostCacheTest, ConcurrentRequestsShareOneLookup) {
  constexpr int kThreads = 32;
  std::atomic<int> lookups = 0;
  std::latch all_started(kThreads);
  HostCache cache([&](const std::string&, absl::Duration, const CancelToken*) {
    ++lookups;
    all_started.wait();
    absl::SleepFor(absl::Milliseconds(50));
    return HostAddresses{{"1.2.3.4"}, absl::Minutes(1)};
  });
  std::vector<std::thread> threads;
  std::atomic<int> found = 0;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      all_started.count_down();
      if (cache.Find("a", kMaxWait, nullptr) == Ips{"1.2.3.4"}) ++found;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lookups, 1);
  EXPECT_EQ(found, kThreads);
}

// The thread that looks up the host is cancelled. The waiting thread then looks up the host.
TEST(HostCacheTest, WaiterTakesOverCancelledLookup) {
  CancelToken cancel;
  std::latch looking(1);
  HostCache cache([&](const std::string&, absl::Duration, const CancelToken* token) {
    if (token != &cancel) return HostAddresses{{"1.2.3.4"}, absl::Minutes(1)};
    looking.count_down();
    while (!cancel.cancelled()) absl::SleepFor(absl::Milliseconds(1));
    return HostAddresses{};
  });
  std::thread first([&] { EXPECT_EQ(cache.Find("a", kMaxWait, &cancel), Ips{}); });
  looking.wait();
  std::thread second([&] { EXPECT_EQ(cache.Find("a", kMaxWait, nullptr), Ips{"1.2.3.4"}); });
  absl::SleepFor(absl::Milliseconds(20));
  cancel.Cancel(CancelKind::kHandBack, "SIGTERM");
  first.join();
  second.join();
}

TEST(HostCacheTest, WaitEndsAtTimeoutOrCancel) {
  std::latch looking(1);
  std::latch over(1);
  HostCache cache([&](const std::string&, absl::Duration, const CancelToken*) {
    looking.count_down();
    over.wait();
    return HostAddresses{};
  });
  std::thread first([&] { (void)cache.Find("a", kMaxWait, nullptr); });
  looking.wait();
  EXPECT_EQ(cache.Find("a", absl::Milliseconds(10), nullptr), Ips{});
  CancelToken cancel;
  cancel.Cancel(CancelKind::kHandBack, "SIGTERM");
  EXPECT_EQ(cache.Find("a", kMaxWait, &cancel), Ips{});
  over.count_down();
  first.join();
}

}  // namespace
}  // namespace sparkles
