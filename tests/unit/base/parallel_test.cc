#include "base/parallel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "base/mutex.h"

namespace sparkles {
namespace {

TEST(ParallelForTest, EveryIndexRunsOnce) {
  std::vector<std::atomic<int>> done(1000);
  const absl::Status status = ParallelFor(done.size(), 4, [&](size_t i) {
    ++done[i];
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok());
  EXPECT_TRUE(std::all_of(done.begin(), done.end(), [](const auto& times) { return times == 1; }));
}

TEST(ParallelForTest, ZeroPiecesSucceedWithoutCalls) {
  EXPECT_TRUE(ParallelFor(0, 4, [](size_t) { return absl::InternalError("called"); }).ok());
}

TEST(ParallelForTest, SinglePieceOrThreadRunsInline) {
  const auto on_this_thread = [caller = std::this_thread::get_id()](size_t) {
    return std::this_thread::get_id() == caller ? absl::OkStatus() : absl::InternalError("moved");
  };
  EXPECT_TRUE(ParallelFor(1, 8, on_this_thread).ok());
  EXPECT_TRUE(ParallelFor(20, 1, on_this_thread).ok());
  EXPECT_TRUE(ParallelFor(20, 0, on_this_thread).ok());
}

TEST(ParallelForTest, FirstErrorStopsNewCalls) {
  std::vector<size_t> started;
  const absl::Status status = ParallelFor(10, 1, [&](size_t i) {
    started.push_back(i);
    return i == 3 ? absl::DataLossError("the fourth") : absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_EQ(status.message(), "the fourth");
  EXPECT_EQ(started, (std::vector<size_t>{0, 1, 2, 3}));
}

// Counts the threads inside, and holds each until enough threads have entered.
class Room {
 public:
  // Returns false if fewer than `wanted` threads entered within 30 seconds.
  bool WaitFor(int wanted) {
    MutexLock lock(mutex_);
    most_ = std::max(most_, ++inside_);
    came_.NotifyAll();
    bool all = most_ >= wanted;
    while (!all && came_.WaitFor(mutex_, absl::Seconds(30))) all = most_ >= wanted;
    --inside_;
    return all;
  }
  int most() {
    MutexLock lock(mutex_);
    return most_;
  }

 private:
  Mutex mutex_;
  CondVar came_;
  int inside_ ABSL_GUARDED_BY(mutex_) = 0;
  int most_ ABSL_GUARDED_BY(mutex_) = 0;
};

TEST(ParallelForTest, ConcurrencyEqualsThreadCount) {
  Room room;
  const absl::Status status = ParallelFor(30, 3, [&](size_t) {
    return room.WaitFor(3) ? absl::OkStatus() : absl::InternalError("alone");
  });
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(room.most(), 3);
}

TEST(ParallelForTest, ReturnsAfterEveryCallEnds) {
  Room room;
  std::atomic<int> inside = 0;
  const absl::Status status = ParallelFor(2, 2, [&](size_t i) {
    ++inside;
    room.WaitFor(2);
    if (i == 1) std::this_thread::yield();
    --inside;
    return i == 0 ? absl::DataLossError("one of two") : absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_EQ(inside, 0);
}

}  // namespace
}  // namespace sparkles
