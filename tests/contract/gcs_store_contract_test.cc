#include <algorithm>

#include "gcp/api_client.h"
#include "gcp/gcs_client.h"
#include "storage/gcs_store.h"
#include "tests/contract/object_store_contract.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_gcs.h"

namespace sparkles {
namespace {

class GcsStoreFixture : public StoreFixture {
 public:
  explicit GcsStoreFixture(const GcsStoreOptions& options) : store_(client_, options) {}
  ObjectStore& store() override { return store_; }
  std::string prefix() const override { return "gs://bucket"; }

 private:
  FakeGcs server_;
  FakeClock clock_;
  ApiClient api_{{"http://storage", nullptr}, server_, clock_};
  GcsClient client_{api_, clock_};
  GcsStore store_;
};

// Lowers the limits of size, so that the contract also tests the code for large objects.
GcsStoreOptions LargeFrom(uint64_t bytes) {
  GcsStoreOptions options;
  options.upload_at_once_bytes = bytes;
  options.slice_from_bytes = bytes;
  options.min_slice_bytes = std::max<uint64_t>(bytes / 2, 1);
  return options;
}

StoreUnderTest Tested(const std::string& name, const GcsStoreOptions& options) {
  return {name, [options] { return std::make_unique<GcsStoreFixture>(options); }};
}

INSTANTIATE_TEST_SUITE_P(GcsStores, ObjectStoreContract,
                         testing::Values(Tested("GcsStore", {}),
                                         Tested("GcsStoreOfLargeObjects", LargeFrom(60'000))),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace sparkles
