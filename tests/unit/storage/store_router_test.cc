#include "storage/store_router.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/failing_store.h"
#include "tests/support/mem_store.h"

namespace sparkles {
namespace {

TEST(StoreRouter, SchemeSelectsStore) {
  MemStore files;
  MemStore cloud;
  StoreRouter router(files, &cloud);
  ASSERT_TRUE(router.UploadBytes("f", "file:///a", {}, {}).ok());
  ASSERT_TRUE(router.UploadBytes("g", "gs://b/a", {}, {}).ok());
  EXPECT_EQ(files.Urls(), std::vector<std::string>{"file:///a"});
  EXPECT_EQ(cloud.Urls(), std::vector<std::string>{"gs://b/a"});
}

TEST(StoreRouter, MissingCloudStoreIsNamed) {
  MemStore files;
  StoreRouter router(files, nullptr);
  const absl::Status status = router.UploadBytes("g", "gs://b/a", {}, {}).status();
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
  EXPECT_EQ(status.message(), "gs://b/a: this command reads no Cloud Storage");
}

TEST(StoreRouter, UnknownSchemesAreRefused) {
  MemStore files;
  StoreRouter router(files, &files);
  for (const std::string url : {"s3://b/o", "/a/b", "", "gs:/b/o", "http://h/gs://b/o"}) {
    const absl::Status status = router.ReadBytes(url, 10, {}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_EQ(status.message(), url + ": not a file:// or gs:// URL");
  }
}

TEST(StoreRouter, FlushContinuesAfterFailure) {
  MemStore memory;
  FailingStore files(memory);
  FailingStore cloud(memory);
  files.Add({.method = StoreMethod::kFlush, .times = 1, .status = absl::DataLossError("files")});
  cloud.Add({.method = StoreMethod::kFlush, .times = 1, .status = absl::DataLossError("cloud")});
  StoreRouter router(files, &cloud);
  EXPECT_EQ(router.Flush(), absl::DataLossError("files"));
  // The second flush succeeds only if the first flush used up the faults of both stores.
  EXPECT_TRUE(router.Flush().ok());
}

}  // namespace
}  // namespace sparkles
