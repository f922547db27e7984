// What every ObjectStore promises, as tests that run on the real ones and on their fakes.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "storage/object_store.h"
#include "tests/support/temp_folder.h"

namespace sparkles {

// A store and what it needs to live, made anew for each test.
class StoreFixture {
 public:
  virtual ~StoreFixture() = default;
  virtual ObjectStore& store() = 0;
  // What the URLs of its objects begin with; no slash at its end.
  virtual std::string prefix() const = 0;
};

struct StoreUnderTest {
  std::string name;
  std::function<std::unique_ptr<StoreFixture>()> make;
};
inline void PrintTo(const StoreUnderTest& tested, std::ostream* out) { *out << tested.name; }

class ObjectStoreContract : public testing::TestWithParam<StoreUnderTest> {
 protected:
  ObjectStore& store() { return fixture_->store(); }
  std::string Url(const std::string& name) const { return fixture_->prefix() + "/" + name; }
  // A new file with this content, open for reading and writing.
  UniqueFd FileWith(const std::string& content);
  // Through the store and back; "(error)" and a test failure if that fails.
  std::string Downloaded(const std::string& url);
  std::string ContentOf(int fd);

 private:
  std::unique_ptr<StoreFixture> fixture_ = GetParam().make();
  TempFolder folder_;
  int files_ = 0;
};

}  // namespace sparkles
