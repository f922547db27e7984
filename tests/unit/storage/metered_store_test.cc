#include "storage/metered_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/support/failing_store.h"
#include "tests/support/mem_store.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

class MeteredStoreTest : public testing::Test {
 protected:
  MemStore memory_;
  FailingStore failing_{memory_};
  WorkerMetrics metrics_;
  MeteredStore store_{failing_, metrics_};
};

TEST_F(MeteredStoreTest, BytesAreCountedAndReported) {
  uint64_t told = 0;
  const CancelToken never;
  const Activity activity(never, &metrics_.heartbeat, [&told](uint64_t bytes) { told += bytes; });
  TempDirectory directory;
  const auto out = OpenFile(directory / "out", O_CREAT | O_RDWR);
  ASSERT_TRUE(WriteAll(out->get(), "12345", "out").ok());
  ASSERT_TRUE(store_.Upload(out->get(), "gs://b/o", {}, activity).ok());
  EXPECT_EQ(metrics_.bytes_uploaded.value(), 5);
  EXPECT_EQ(told, 5);
  const auto in = OpenFile(directory / "in", O_CREAT | O_RDWR);
  ASSERT_TRUE(store_.Download("gs://b/o", in->get(), activity).ok());
  EXPECT_EQ(metrics_.bytes_downloaded.value(), 5);
  EXPECT_EQ(told, 10);
  EXPECT_EQ(metrics_.transfers_failed.value(), 0);
  EXPECT_GT(metrics_.heartbeat.beats(), 0);
}

TEST_F(MeteredStoreTest, SendsOfLogsAreCounted) {
  TempDirectory directory;
  const auto log = OpenFile(directory / "log", O_CREAT | O_RDWR);
  ASSERT_TRUE(WriteAll(log->get(), "12345", "log").ok());
  const auto whole = store_.Append(log->get(), 3, "gs://b/o", {}, {}, {});
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_TRUE(store_.Append(log->get(), 5, "gs://b/o", *whole, {}, {}).ok());
  EXPECT_FALSE(store_.Append(log->get(), 4, "gs://b/o", *whole, {}, {}).ok());
  EXPECT_EQ(metrics_.logs_sent_whole.value(), 1);
  EXPECT_EQ(metrics_.log_parts_sent.value(), 1);
  EXPECT_EQ(metrics_.transfers_failed.value(), 1);
  EXPECT_GE(metrics_.bytes_uploaded.value(), 5);
}

// A store that waits a hundred times.
class IdleStore : public MemStore {
 public:
  absl::StatusOr<ObjectInfo> Download(const std::string&, int, const Activity& activity) override {
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(activity.ReportWait().ok());
    return absl::UnavailableError("nothing moves");
  }
};

TEST_F(MeteredStoreTest, IdleTransferDoesNotBeat) {
  IdleStore idle;
  MeteredStore store(idle, metrics_);
  const CancelToken never;
  EXPECT_FALSE(store.Download("gs://b/o", -1, Activity(never, &metrics_.heartbeat)).ok());
  EXPECT_EQ(metrics_.heartbeat.beats(), 2) << "the start and the end of the transfer";
  EXPECT_EQ(metrics_.transfers_failed.value(), 1);
}

// A store that repeats lost bytes: it works, but moves no new bytes.
class RepeatingStore : public MemStore {
 public:
  absl::StatusOr<ObjectInfo> Download(const std::string&, int, const Activity& activity) override {
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(activity.ReportWork().ok());
    return ObjectInfo{};
  }
};

TEST_F(MeteredStoreTest, RepeatedBytesBeat) {
  RepeatingStore repeating;
  MeteredStore store(repeating, metrics_);
  int told = 0;
  const CancelToken never;
  const Activity activity(never, &metrics_.heartbeat, [&told](uint64_t) { ++told; });
  EXPECT_TRUE(store.Download("gs://b/o", -1, activity).ok());
  EXPECT_EQ(metrics_.heartbeat.beats(), 102);
  EXPECT_EQ(metrics_.bytes_downloaded.value(), 0);
  EXPECT_EQ(told, 100);
}

TEST_F(MeteredStoreTest, CancelledTransferIsNotFailure) {
  failing_.Add({.method = StoreMethod::kFlush, .times = 1, .status = absl::CancelledError("x")});
  EXPECT_TRUE(absl::IsCancelled(store_.Flush()));
  EXPECT_EQ(metrics_.transfers_failed.value(), 0);
}

}  // namespace
}  // namespace sparkles
