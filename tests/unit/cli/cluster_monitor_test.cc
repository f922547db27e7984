#include "cli/cluster_monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace sparkles {
namespace {

using testing::HasSubstr;
using testing::Not;

// The entity that `sparkles` writes. "Y2VydA==" is "cert", "a2V5" is "key".
Json KeysEntity() {
  return ParseJson(R"({"key": {"path": [{"kind": "ClusterKeys", "name": "sparklespray"}]},
                       "properties": {"cert": {"blobValue": "Y2VydA=="},
                                      "private_key": {"blobValue": "a2V5"},
                                      "shared_secret": {"stringValue": "secret"}}})")
      .value();
}

absl::StatusOr<MonitorKeys> Parse(const Json& json) {
  return ParseMonitorKeys(Entity::Parse(json).value());
}

TEST(ParseMonitorKeys, ClientEntityIsParsed) {
  const auto keys = Parse(KeysEntity());
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_EQ(keys->certificate, "cert");
  EXPECT_EQ(keys->private_key, "key");
  EXPECT_EQ(keys->shared_secret, "secret");
}

TEST(ParseMonitorKeys, ErrorNamesPropertyWithoutSecret) {
  for (const std::string property : {"cert", "private_key", "shared_secret"}) {
    for (const Json& broken :
         {Json(nullptr), Json{{"nullValue", nullptr}}, Json{{"stringValue", ""}},
          Json{{"blobValue", ""}}, Json{{"blobValue", "*"}}, Json{{"integerValue", "5"}}}) {
      Json json = KeysEntity();
      json["properties"][property] = broken;
      const auto keys = Parse(json);
      EXPECT_THAT(std::string(keys.status().message()), HasSubstr(property)) << broken;
      EXPECT_THAT(std::string(keys.status().message()), Not(HasSubstr("a2V5")));
    }
  }
}

}  // namespace
}  // namespace sparkles
