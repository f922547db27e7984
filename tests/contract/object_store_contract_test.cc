#include "tests/contract/object_store_contract.h"

#include "base/file_url.h"
#include "storage/local_store.h"
#include "storage/store_router.h"
#include "tests/support/failing_store.h"
#include "tests/support/mem_store.h"

namespace sparkles {
namespace {

class LocalFixture : public StoreFixture {
 public:
  ObjectStore& store() override { return store_; }
  std::string prefix() const override { return MakeFileUrl(directory_.path()); }
  bool appends() const override { return false; }

 private:
  TempDirectory directory_;
  LocalStore store_;
};

class RoutedFixture : public LocalFixture {
 public:
  ObjectStore& store() override { return router_; }

 private:
  StoreRouter router_{LocalFixture::store(), nullptr};
};

class MemFixture : public StoreFixture {
 public:
  ObjectStore& store() override { return store_; }
  std::string prefix() const override { return "gs://bucket"; }

 private:
  MemStore store_;
};

class FailingFixture : public MemFixture {
 public:
  ObjectStore& store() override { return failing_; }

 private:
  FailingStore failing_{MemFixture::store()};
};

template <typename Fixture>
StoreUnderTest Tested(const std::string& name) {
  return {name, [] { return std::make_unique<Fixture>(); }};
}

INSTANTIATE_TEST_SUITE_P(Stores, ObjectStoreContract,
                         testing::Values(Tested<LocalFixture>("LocalStore"),
                                         Tested<RoutedFixture>("StoreRouter"),
                                         Tested<MemFixture>("MemStore"),
                                         Tested<FailingFixture>("FailingStore")),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace sparkles
