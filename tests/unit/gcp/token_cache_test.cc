#include "gcp/token_cache.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <functional>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "http/transient.h"
#include "tests/support/fake_clock.h"

namespace sparkles {
namespace {

// Returns "token-1", "token-2", ..., each valid for `life`.
class FakeTokenSource : public TokenSource {
 public:
  explicit FakeTokenSource(Clock& clock) : clock_(clock) {}

  absl::StatusOr<AccessToken> Get(const CancelToken& cancel) override {
    const int call = ++calls;
    if (on_get) {
      const absl::Status status = on_get(call, cancel);
      if (!status.ok()) return status;
    }
    return AccessToken{absl::StrCat("token-", call), clock_.Now() + life, "", ""};
  }
  void Invalidate(const AccessToken&) override {}

  std::atomic<int> calls = 0;
  absl::Duration life = absl::Hours(1);
  std::function<absl::Status(int call, const CancelToken& cancel)> on_get;

 private:
  Clock& clock_;
};

class TokenCacheTest : public testing::Test {
 protected:
  std::string Get() {
    const auto token = cache_.Get(cancel_);
    return token.ok() ? token->value : std::string(token.status().message());
  }

  CancelToken cancel_;
  FakeClock clock_;
  FakeTokenSource source_{clock_};
  TokenCache cache_{source_, clock_};
};

TEST_F(TokenCacheTest, ValidTokenIsCached) {
  EXPECT_EQ(Get(), "token-1");
  clock_.Advance(absl::Minutes(50));
  EXPECT_EQ(Get(), "token-1");
  EXPECT_EQ(source_.calls, 1);
}

TEST_F(TokenCacheTest, TokenIsRenewedBeforeExpiry) {
  EXPECT_EQ(Get(), "token-1");
  clock_.Advance(absl::Hours(1) - absl::Seconds(226));
  EXPECT_EQ(Get(), "token-1");
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Get(), "token-2");
}

TEST_F(TokenCacheTest, OldTokenServesDuringRenewal) {
  EXPECT_EQ(Get(), "token-1");
  clock_.Advance(absl::Minutes(58));
  std::string meanwhile;
  source_.on_get = [&](int, const CancelToken&) {
    std::thread other([&] { meanwhile = Get(); });
    other.join();
    return absl::OkStatus();
  };
  EXPECT_EQ(Get(), "token-2");
  EXPECT_EQ(meanwhile, "token-1");
}

TEST_F(TokenCacheTest, FailedRenewalKeepsOldToken) {
  EXPECT_EQ(Get(), "token-1");
  clock_.Advance(absl::Hours(1) - absl::Seconds(225));
  source_.on_get = [](int, const CancelToken&) { return absl::UnavailableError("down"); };
  std::vector<int> calls;
  for (int second = 0; second < 225; ++second) {
    EXPECT_EQ(Get(), "token-1");
    if (calls.empty() || calls.back() != source_.calls) calls.push_back(source_.calls);
    clock_.Advance(absl::Seconds(1));
  }
  // The renewals start at 0, 10, 30, 70 and 150 s.
  EXPECT_EQ(calls, (std::vector<int>{2, 3, 4, 5, 6}));
  EXPECT_EQ(Get(), "down");
  source_.on_get = nullptr;
  EXPECT_EQ(Get(), "token-8");
}

TEST_F(TokenCacheTest, ValidTokenLimitsRenewalWait) {
  TokenCache cache(source_, clock_, absl::Milliseconds(1));
  EXPECT_TRUE(cache.Get(cancel_).ok());
  clock_.Advance(absl::Hours(1) - absl::Seconds(225));
  source_.on_get = [](int, const CancelToken& cancel) -> absl::Status {
    pollfd cut{cancel.fd(), POLLIN, 0};
    EXPECT_EQ(poll(&cut, 1, 20'000), 1);
    return absl::CancelledError(cancel.reason());
  };
  EXPECT_EQ(cache.Get(cancel_)->value, "token-1");
  // The next renewal starts after 10 s, not at the next call.
  clock_.Advance(absl::Seconds(9));
  EXPECT_EQ(cache.Get(cancel_)->value, "token-1");
  EXPECT_EQ(source_.calls, 2);
  source_.on_get = nullptr;
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(cache.Get(cancel_)->value, "token-3");
}

TEST_F(TokenCacheTest, ExpiryDuringRenewalWaitsForToken) {
  TokenCache cache(source_, clock_, absl::Milliseconds(1));
  EXPECT_TRUE(cache.Get(cancel_).ok());
  clock_.Advance(absl::Hours(1) - absl::Seconds(1));
  source_.on_get = [this](int call, const CancelToken& cancel) -> absl::Status {
    if (call > 2) return absl::OkStatus();
    const CancelToken never;
    AwaitCancel(cancel, never);
    clock_.Advance(absl::Seconds(2));
    return absl::CancelledError(cancel.reason());
  };
  EXPECT_EQ(cache.Get(cancel_)->value, "token-3");
}

TEST_F(TokenCacheTest, FailureAfterSuccessIsTransient) {
  source_.on_get = [](int call, const CancelToken&) {
    return call == 2 ? absl::OkStatus() : absl::NotFoundError("token file");
  };
  EXPECT_FALSE(IsTransient(cache_.Get(cancel_).status()));
  EXPECT_EQ(Get(), "token-2");
  clock_.Advance(absl::Hours(2));
  const absl::Status error = cache_.Get(cancel_).status();
  EXPECT_TRUE(absl::IsNotFound(error) && IsTransient(error)) << error;
}

TEST_F(TokenCacheTest, ShortLivedTokenIsBrieflyCached) {
  source_.life = absl::Minutes(2);
  EXPECT_EQ(Get(), "token-1");
  EXPECT_EQ(Get(), "token-1");
  EXPECT_EQ(source_.calls, 1);
  clock_.Advance(absl::Seconds(10));
  EXPECT_EQ(Get(), "token-2");
}

TEST_F(TokenCacheTest, DroppedTokenIsReplaced) {
  const auto token = cache_.Get(cancel_);
  cache_.Invalidate(*token);
  EXPECT_EQ(Get(), "token-2");
}

TEST_F(TokenCacheTest, LateDropKeepsNewToken) {
  const auto old = cache_.Get(cancel_);
  cache_.Invalidate(*old);
  EXPECT_EQ(Get(), "token-2");
  cache_.Invalidate(*old);
  EXPECT_EQ(Get(), "token-2");
}

TEST_F(TokenCacheTest, ConcurrentCallersShareOneRequest) {
  constexpr int kThreads = 8;
  std::latch started(kThreads);
  source_.on_get = [&](int, const CancelToken&) {
    started.wait();
    return absl::OkStatus();
  };
  std::vector<std::string> got(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      started.count_down();
      got[static_cast<size_t>(i)] = Get();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(got, std::vector<std::string>(kThreads, "token-1"));
  EXPECT_EQ(source_.calls, 1);
}

TEST_F(TokenCacheTest, CancelEndsWaitForToken) {
  CancelToken hurried;
  source_.on_get = [&](int, const CancelToken&) {
    absl::StatusOr<AccessToken> waited;
    std::thread other([&] { waited = cache_.Get(hurried); });
    hurried.Cancel(CancelKind::kAbort, "a sibling failed");
    other.join();
    EXPECT_EQ(waited.status(), absl::CancelledError("a sibling failed"));
    return absl::OkStatus();
  };
  EXPECT_EQ(Get(), "token-1");
}

TEST_F(TokenCacheTest, WaiterTakesOverCancelledFetch) {
  CancelToken hurried;
  std::latch fetching(1);
  std::latch other_started(1);
  source_.on_get = [&](int call, const CancelToken& cancel) {
    if (call > 1) return absl::OkStatus();
    fetching.count_down();
    other_started.wait();
    hurried.Cancel(CancelKind::kAbort, "enough");
    return absl::CancelledError(cancel.reason());
  };
  std::thread first([&] { EXPECT_FALSE(cache_.Get(hurried).ok()); });
  fetching.wait();
  std::thread other([&] {
    other_started.count_down();
    EXPECT_EQ(Get(), "token-2");
  });
  first.join();
  other.join();
}

}  // namespace
}  // namespace sparkles
