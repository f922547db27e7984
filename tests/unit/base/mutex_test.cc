#include "base/mutex.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace sparkles {
namespace {

class Counter {
 public:
  void Add() {
    MutexLock lock(mutex_);
    ++count_;
    changed_.NotifyAll();
  }

  // Waits until the count is `wanted`, and returns the count.
  int Await(int wanted, absl::Duration look_again) {
    MutexLock lock(mutex_);
    while (count_ < wanted) changed_.WaitFor(mutex_, look_again);
    return count_;
  }

  int AwaitWithoutLimit(int wanted) {
    MutexLock lock(mutex_);
    while (count_ < wanted) changed_.Wait(mutex_);
    return count_;
  }

  // Returns the result of a WaitFor that no change ends.
  bool WaitUntilTimeout(absl::Duration timeout) {
    MutexLock lock(mutex_);
    return changed_.WaitFor(mutex_, timeout);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

TEST(Mutex, ConcurrentAdditionsAreAllCounted) {
  Counter counter;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&counter] {
      for (int n = 0; n < 1000; ++n) counter.Add();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.Await(4000, absl::ZeroDuration()), 4000);
}

TEST(CondVar, NotifyWakesWaiter) {
  Counter counter;
  std::thread other([&counter] { counter.Add(); });
  EXPECT_EQ(counter.AwaitWithoutLimit(1), 1);
  other.join();
}

TEST(CondVar, NotifyEndsInfiniteWait) {
  Counter counter;
  std::thread other([&counter] { counter.Add(); });
  EXPECT_EQ(counter.Await(1, absl::InfiniteDuration()), 1);
  other.join();
}

TEST(CondVar, ElapsedTimeoutReturnsFalse) {
  EXPECT_FALSE(Counter().WaitUntilTimeout(absl::ZeroDuration()));
  EXPECT_FALSE(Counter().WaitUntilTimeout(-absl::Seconds(1)));
}

}  // namespace
}  // namespace sparkles
