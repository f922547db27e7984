// Tests lists of objects, and removals, with scripted responses of Cloud Storage.
#include "gcp/gcs_list.h"

#include <gtest/gtest.h>

#include "tests/support/gcs_fixture.h"

namespace sparkles {
namespace {

using GcsListTest = GcsFixture;
using GcsRemoveTest = GcsFixture;

TEST_F(GcsListTest, ObjectOfTheDirectoryIsLeftOut) {
  server_.Answer("prefix=d%2F", MakeResponse(200, R"({"items":[{"name":"d/","generation":"1"},)"
                                                  R"({"name":"d/a","generation":"2"}]})"));
  const auto listed = ListDirectory(client_, {"b", "d"}, 10, activity_);
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_EQ(listed->size(), 1);
  EXPECT_EQ(listed->front().name, "a");
  EXPECT_EQ(listed->front().generation, 2);
}

TEST_F(GcsListTest, PageOfProxyIsRetried) {
  for (const int status : {200, 404}) {
    ExpectLongRetry(Page(status), [&](GcsClient& client) {
      return ListDirectory(client, {"b", "d"}, 10, activity_).status();
    });
  }
}

TEST_F(GcsRemoveTest, MissingObjectIsSuccess) {
  server_.Answer("DELETE", Missing());
  EXPECT_TRUE(client_.Remove(name_, 3, activity_).ok());
}

TEST_F(GcsRemoveTest, PageOfProxyIsRetried) {
  for (const int status : {404, 503}) {
    ExpectLongRetry(Page(status),
                    [&](GcsClient& client) { return client.Remove(name_, 3, activity_); });
  }
}

}  // namespace
}  // namespace sparkles
