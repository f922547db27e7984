#include "gcp/entity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sparkles {
namespace {

Entity EntityOf(const std::string& properties) {
  Json json = {{"key", ToJson({"Kind", "name"})}};
  json["properties"] = ParseJson(properties).value();
  return Entity::Parse(std::move(json)).value();
}

TEST(EntityKey, KeySurvivesRoundTrip) {
  const Json json = ToJson({"Job", "j.1"});
  EXPECT_EQ(DumpJson(json), R"({"path":[{"kind":"Job","name":"j.1"}]})");
  EXPECT_EQ(ParseEntityKey(json), (EntityKey{"Job", "j.1"}));
}

TEST(EntityKey, OnlySingleNamedKeysAreAccepted) {
  for (const char* text : {
           R"({"path": [{"kind": "Job", "id": "17"}]})",
           R"({"path": [{"kind": "A", "name": "a"}, {"kind": "B", "name": "b"}]})",
           R"({"partitionId": {"namespaceId": "n"}, "path": [{"kind": "A", "name": "a"}]})",
           R"({"path": []})",
           R"({"path": 3})",
           R"({"path": [3]})",
           "{}",
           "[]",
           "null",
       }) {
    EXPECT_FALSE(ParseEntityKey(ParseJson(text).value())) << text;
  }
}

TEST(EntityValue, ValuesAreReadByType) {
  const Entity entity = EntityOf(R"({
    "text": {"stringValue": "a"}, "number": {"integerValue": "-42"}, "bare": {"integerValue": 7},
    "real": {"doubleValue": 3.0}, "nan": {"doubleValue": "NaN"},
    "large": {"doubleValue": "-Infinity"}, "null": {"nullValue": null}, "odd": 5,
    "beyond": {"integerValue": "9223372036854775808"}, 
    "over": {"integerValue": 18446744073709551615},
    "word": {"integerValue": "seven"}, "list": {"arrayValue": {"values": [{"integerValue": "1"}]}},
    "bytes": {"blobValue": "/+8A"}, "bytes2": {"blobValue": "_-8A"}, "broken": {"blobValue": "*"},
    "empty": {"arrayValue": {}}, "strange": {"arrayValue": {"values": 3}}})");
  EXPECT_EQ(AsString(entity.Find("text")), "a");
  EXPECT_EQ(AsInteger(entity.Find("number")), -42);
  EXPECT_EQ(AsInteger(entity.Find("bare")), 7);
  EXPECT_EQ(AsDouble(entity.Find("real")), 3.0);
  EXPECT_EQ(AsDouble(entity.Find("number")), -42.0);
  EXPECT_TRUE(std::isnan(AsDouble(entity.Find("nan")).value()));
  EXPECT_EQ(AsDouble(entity.Find("large")), -std::numeric_limits<double>::infinity());
  for (const char* name : {"beyond", "over", "word", "text", "odd", "absent"}) {
    EXPECT_FALSE(AsInteger(entity.Find(name))) << name;
    EXPECT_FALSE(AsDouble(entity.Find(name))) << name;
  }
  for (const char* name : {"number", "null", "odd", "absent", "list"}) {
    EXPECT_FALSE(AsString(entity.Find(name))) << name;
  }
  EXPECT_EQ(AsBlob(entity.Find("bytes")), std::string("\xFF\xEF\0", 3));
  EXPECT_EQ(AsBlob(entity.Find("bytes2")), AsBlob(entity.Find("bytes")));
  for (const char* name : {"broken", "text", "null", "absent", "odd"}) {
    EXPECT_FALSE(AsBlob(entity.Find(name))) << name;
  }
  EXPECT_TRUE(IsNull(entity.Find("null")));
  EXPECT_TRUE(IsNull(entity.Find("absent")));
  EXPECT_FALSE(IsNull(entity.Find("text")));
  EXPECT_EQ(Elements(entity.Find("list")).size(), 1u);
  for (const char* name : {"empty", "strange"}) {
    EXPECT_TRUE(IsArray(entity.Find(name))) << name;
    EXPECT_TRUE(Elements(entity.Find(name)).empty()) << name;
  }
}

TEST(Entity, SetKeepsIndexFlag) {
  Entity entity = EntityOf(R"({"hidden": {"stringValue": "a", "excludeFromIndexes": true},
                               "found": {"stringValue": "a"}})");
  for (const char* name : {"hidden", "found", "new"}) entity.Set(name, StringValue("b"));
  EXPECT_TRUE(IsUnindexed(*entity.Find("hidden")));
  EXPECT_FALSE(IsUnindexed(*entity.Find("found")));
  EXPECT_FALSE(IsUnindexed(*entity.Find("new")));
  EXPECT_EQ(AsString(entity.Find("hidden")), "b");
}

// The server moves indexed elements before unindexed elements.
TEST(Entity, AppendFollowsArrayIndexFlag) {
  Entity entity = EntityOf(R"({
    "hidden": {"arrayValue": {"values": [{"stringValue": "a", "excludeFromIndexes": true}]}},
    "found": {"arrayValue": {"values": [{"stringValue": "a"}]}}})");
  for (const char* name : {"hidden", "found"}) entity.Append(name, StringValue("b"));
  ASSERT_EQ(Elements(entity.Find("hidden")).size(), 2u);
  EXPECT_TRUE(IsUnindexed(*Elements(entity.Find("hidden"))[1]));
  EXPECT_FALSE(IsUnindexed(*Elements(entity.Find("found"))[1]));
}

TEST(Entity, AppendCreatesMissingList) {
  Entity entity = EntityOf(R"({"null": {"nullValue": null}, "empty": {"arrayValue": {}},
                               "strange": {"arrayValue": {"values": 3}},
                               "text": {"stringValue": "a"}})");
  for (const char* name : {"null", "empty", "strange", "absent", "text"}) {
    entity.Append(name, StringValue("b"));
  }
  for (const char* name : {"null", "empty", "strange", "absent"}) {
    ASSERT_EQ(Elements(entity.Find(name)).size(), 1u) << name;
  }
  EXPECT_EQ(AsString(entity.Find("text")), "a");
}

TEST(Entity, MalformedEntityIsRefused) {
  for (const char* text : {"{}", "[]", "3", R"({"key": 3})", R"({"key": {}, "properties": []})"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Entity::Parse(ParseJson(text).value()).status())) << text;
  }
  EXPECT_TRUE(Entity::Parse(ParseJson(R"({"key": {}})").value()).ok());
}

TEST(Entity, UnchangedPropertiesKeepTheirText) {
  const std::string text =
      R"({"a":{"doubleValue":3.0},"b":{"doubleValue":1795457170.0702956},"c":{"meaning":18,)"
      R"("timestampValue":"2026-01-01T00:00:00.000001Z"},)"
      R"("d":{"integerValue":"9223372036854775807"}})";
  EXPECT_EQ(DumpJson(EntityOf(text).json()["properties"]), text);
}

}  // namespace
}  // namespace sparkles
