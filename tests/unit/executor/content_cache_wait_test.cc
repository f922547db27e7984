// Tests of the wait for another worker that fills the same cache entry.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>

#include "absl/time/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "executor/content_cache.h"
#include "executor/stager.h"
#include "tests/support/fake_clock.h"
#include "tests/support/forbidden_calls.h"
#include "tests/support/mem_store.h"
#include "tests/support/recorded_log.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::HasSubstr;
using testing::Not;

class ContentCacheWaitTest : public testing::Test {
 protected:
  ContentCacheWaitTest() {
    memory_.Put(url_, content_);
    EXPECT_TRUE(MakeDirectories(directory_ / "cache").ok());
    auto lock = EntryLock::Take(EntryPath(), clock_, {});
    EXPECT_TRUE(lock.ok());
    held_.emplace(*std::move(lock));
  }

  std::string EntryPath() const { return directory_ / "cache/" + hash_; }

  const std::string content_ = "what the task wants to read\n";
  const std::string hash_ = HexHash(HashKind::kSha256, content_);
  const std::string url_ = "gs://bucket/cas/" + hash_;
  TempDirectory directory_;
  MemStore memory_;
  FakeClock clock_;
  RecordedLog recorded_;
  const Log log_ = recorded_.log();
  ContentCache cache_{directory_ / "cache", memory_, clock_, nullptr, &log_};
  CurrentTask current_;
  std::optional<EntryLock> held_;  // by another worker
};

TEST_F(ContentCacheWaitTest, LongWaitIsLogged) {
  clock_.OnSleep([this](size_t) {
    if (!held_ || recorded_.Text().empty()) return;
    EXPECT_THAT(recorded_.Text(), HasSubstr("waiting for another transfer"));
    EXPECT_THAT(recorded_.Text(), HasSubstr(hash_ + ".lock"));
    held_.reset();
  });
  ASSERT_TRUE(cache_.Copy(url_, directory_ / "copy", 0666, {}).ok());
  EXPECT_THAT(recorded_.Text(), Not(HasSubstr("past the cache")));
  EXPECT_TRUE(std::filesystem::exists(EntryPath()));
}

TEST_F(ContentCacheWaitTest, FrozenWorkerIsBypassed) {
  ASSERT_TRUE(cache_.Copy(url_, directory_ / "copy", 0666, {}).ok());
  EXPECT_EQ(ReadFile(directory_ / "copy", 100).value(), content_);
  EXPECT_FALSE(std::filesystem::exists(EntryPath()));
  EXPECT_THAT(recorded_.Text(), HasSubstr("no sign of life"));
}

TEST_F(ContentCacheWaitTest, BypassedCacheCopiesInsteadOfLinking) {
  Download download;
  download.src_url = url_;
  download.dst = "linked";
  download.is_cas_key = download.symlink_safe = true;
  Stager stager(memory_, cache_, clock_, current_, /*transfers=*/1);
  ASSERT_TRUE(MakeDirectories(directory_ / "work").ok());
  const auto inputs = stager.Stage({download}, directory_ / "work", {}, log_);
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  EXPECT_FALSE(std::filesystem::is_symlink(directory_ / "work/linked"));
  EXPECT_EQ(ReadFile(directory_ / "work/linked", 100).value(), content_);
}

TEST_F(ContentCacheWaitTest, WrongContentIsRejectedWithoutCache) {
  memory_.Put(url_, "something else");
  EXPECT_TRUE(absl::IsDataLoss(cache_.Copy(url_, directory_ / "copy", 0666, {})));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "copy"));
}

TEST_F(ContentCacheWaitTest, SignsOfLifeExtendWait) {
  const absl::Time begin = clock_.Now();
  clock_.OnSleep([&](size_t) {
    if (!held_) return;
    held_->Touch();
    absl::SleepFor(kTimestampTick);  // so that the next sign has another time
    clock_.Advance(kMaxQuiet / 2);
    if (clock_.Now() - begin > 3 * kMaxQuiet) held_.reset();
  });
  ASSERT_TRUE(cache_.Copy(url_, directory_ / "copy", 0666, {}).ok());
  EXPECT_TRUE(std::filesystem::exists(EntryPath()));
}

TEST_F(ContentCacheWaitTest, InputIsCopiedWithoutLockSupport) {
  held_.reset();
  auto use = cache_.OpenUse();
  ASSERT_TRUE(use.ok()) << use.status();
  const auto refused = InProcessWithout({{SYS_fcntl, F_OFD_SETLK}}, ENOLCK, [&] {
    const auto entry = cache_.Fetch(url_, {}, &*use);
    return entry.ok() && !entry->has_value() &&
           cache_.Copy(url_, directory_ / "copy", 0666, {}).ok();
  });
  if (!refused) GTEST_SKIP() << "no seccomp here";
  EXPECT_TRUE(*refused);
  EXPECT_THAT(recorded_.Text(), HasSubstr(directory_ / "cache: uses.lock: No locks available"));
}

TEST_F(ContentCacheWaitTest, StopPreventsEviction) {
  held_.reset();
  ASSERT_TRUE(cache_.Fetch(url_, {}).ok());
  CancelToken cancel;
  cancel.Cancel(CancelKind::kHandBack, "SIGTERM");
  const absl::Status status = cache_.RetryAfterEviction(directory_.path(), Activity(cancel),
                                                        [] { return ErrnoError(ENOSPC, "file"); });
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(std::filesystem::exists(EntryPath()));
}

}  // namespace
}  // namespace sparkles
