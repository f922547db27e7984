// The tests that every ObjectStore must pass: the real stores and their fakes.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "storage/object_store.h"
#include "tests/support/temp_directory.h"

namespace sparkles {

// A store and the objects that it needs. Each test makes a new one.
class StoreFixture {
 public:
  virtual ~StoreFixture() = default;
  virtual ObjectStore& store() = 0;
  // The prefix of the URLs of its objects, without a slash at the end.
  virtual std::string prefix() const = 0;
  // False if Append gives Unimplemented.
  virtual bool appends() const { return true; }
};

struct StoreUnderTest {
  std::string name;
  std::function<std::unique_ptr<StoreFixture>()> make;
};
inline void PrintTo(const StoreUnderTest& tested, std::ostream* out) { *out << tested.name; }

class ObjectStoreContract : public testing::TestWithParam<StoreUnderTest> {
 protected:
  ObjectStore& store() { return fixture_->store(); }
  bool appends() const { return fixture_->appends(); }
  std::string Url(const std::string& name) const { return fixture_->prefix() + "/" + name; }
  // A new file with this content, open for reading and writing.
  UniqueFd FileWith(const std::string& content);
  // Returns the content of the object at `url`. Fails the test and returns "(error)" on error.
  std::string Downloaded(const std::string& url);
  std::string ContentOf(int fd);

 private:
  std::unique_ptr<StoreFixture> fixture_ = GetParam().make();
  TempDirectory directory_;
  int files_ = 0;
};

}  // namespace sparkles
