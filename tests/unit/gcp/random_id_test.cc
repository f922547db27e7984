#include "gcp/random_id.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace sparkles {
namespace {

TEST(RandomUuid, IdIsVersionFourInLowerCase) {
  for (int i = 0; i < 100; ++i) {
    const std::string id = RandomUuid();
    ASSERT_EQ(id.size(), 36);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef-"), std::string::npos) << id;
    EXPECT_EQ(id[14], '4') << id;
    EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos) << id;
  }
}

TEST(RandomUuid, ThreadsGetDifferentIds) {
  constexpr int kThreads = 4;
  constexpr int kIds = 100;
  std::mutex mutex;
  std::set<std::string> ids;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < kIds; ++j) {
        const std::string id = RandomUuid();
        const std::lock_guard lock(mutex);
        ids.insert(id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ids.size(), kThreads * kIds);
}

}  // namespace
}  // namespace sparkles
