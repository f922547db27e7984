// Tests of updates with a base version, on the emulator and on the fake.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "gcp/datastore_client.h"
#include "queue/task_entity.h"
#include "tests/support/datastore_lab.h"
#include "tests/support/emulator.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_datastore.h"

namespace sparkles {
namespace {

// A Datastore, and the actions of another client.
class Place {
 public:
  virtual ~Place() = default;
  virtual DatastoreClient& client() = 0;
  virtual void Put(const Json& entity) = 0;
  virtual void Delete(const EntityKey& key) = 0;
};

class EmulatorPlace : public Place {
 public:
  DatastoreClient& client() override { return lab_.client(); }
  void Put(const Json& entity) override { lab_.Put(entity); }
  void Delete(const EntityKey& key) override { lab_.Delete(key); }

 private:
  DatastoreLab lab_;
};

class FakePlace : public Place {
 public:
  DatastoreClient& client() override { return client_; }
  void Put(const Json& entity) override { datastore_.Put(*ParseEntityKey(entity["key"]), entity); }
  void Delete(const EntityKey& key) override { datastore_.Delete(key); }

 private:
  FakeClock clock_;
  FakeDatastore datastore_;
  ApiClient api_{{"http://datastore", nullptr}, datastore_, clock_};
  DatastoreClient client_{api_, "project"};
};

class DatastoreUpdate : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    const bool real = GetParam();
    if (real && EmulatorAddress().empty()) GTEST_SKIP() << kNoEmulator;
    if (real) {
      place_ = std::make_unique<EmulatorPlace>();
    } else {
      place_ = std::make_unique<FakePlace>();
    }
    place_->Put(Named("first"));
  }

  Json Named(const std::string& name) const {
    return {{"key", ToJson(key_)}, {"properties", {{"name", StringValue(name)}}}};
  }
  std::optional<StoredEntity> Stored() {
    const CancelToken never;
    return place_->client().Lookup({key_}, never).value()[0];
  }
  std::string Name() { return AsString(Stored()->entity.Find("name")).value_or("?"); }
  absl::StatusOr<std::optional<int64_t>> Update(const std::string& name, int64_t base_version) {
    return place_->client().Update(Entity::Parse(Named(name)).value(), base_version);
  }

  const EntityKey key_ = {kTaskKind, "job.1"};
  std::unique_ptr<Place> place_;
};

TEST_P(DatastoreUpdate, RightBaseVersionIsReplaced) {
  const int64_t before = Stored()->version;
  const auto after = Update("second", before);
  ASSERT_TRUE(after.ok() && *after) << after.status();
  EXPECT_GT(**after, before);
  EXPECT_EQ(Stored()->version, **after);
  EXPECT_EQ(Name(), "second");
}

TEST_P(DatastoreUpdate, SecondCopyHasNoEffect) {
  const int64_t before = Stored()->version;
  ASSERT_TRUE(Update("second", before).ok());
  const int64_t after = Stored()->version;
  EXPECT_EQ(Update("second", before).value(), std::nullopt);
  EXPECT_EQ(Stored()->version, after);
}

TEST_P(DatastoreUpdate, OlderBaseVersionIsConflict) {
  const int64_t before = Stored()->version;
  place_->Put(Named("client"));
  EXPECT_EQ(Update("second", before).value(), std::nullopt);
  EXPECT_EQ(Name(), "client");
}

TEST_P(DatastoreUpdate, RecreatedEntityIsConflict) {
  const int64_t before = Stored()->version;
  place_->Delete(key_);
  place_->Put(Named("client"));
  EXPECT_EQ(Update("second", before).value(), std::nullopt);
  EXPECT_EQ(Name(), "client");
}

TEST_P(DatastoreUpdate, DeletedEntityIsNotFound) {
  const int64_t before = Stored()->version;
  place_->Delete(key_);
  EXPECT_TRUE(absl::IsNotFound(Update("second", before).status()));
  EXPECT_FALSE(Stored());
}

TEST_P(DatastoreUpdate, BaseVersionAboveStoredIsRefused) {
  const auto update = Update("second", Stored()->version + 1'000'000);
  EXPECT_TRUE(absl::IsInvalidArgument(update.status())) << update.status();
  EXPECT_EQ(Name(), "first");
}

INSTANTIATE_TEST_SUITE_P(Places, DatastoreUpdate, testing::Bool(), [](const auto& place) {
  return std::string(place.param ? "Emulator" : "Fake");
});

}  // namespace
}  // namespace sparkles
