#include "base/json.h"

#include <gtest/gtest.h>

#include <string>

namespace sparkles {
namespace {

std::string ErrorOf(absl::string_view text) {
  const auto json = ParseJson(text);
  EXPECT_TRUE(absl::IsInvalidArgument(json.status())) << text;
  return std::string(json.status().message());
}

TEST(ParseJsonTest, ReadsAnyValue) {
  EXPECT_EQ(ParseJson(" {\"a\": [1, null, \"x\"]}\n").value(), (Json{{"a", {1, nullptr, "x"}}}));
  EXPECT_EQ(ParseJson("true").value(), Json(true));
  EXPECT_TRUE(ParseJson("null").value().is_null());
}

TEST(ParseJsonTest, ErrorsSayWhere) {
  EXPECT_EQ(ErrorOf("{\"a\": 1,\n \"b\" 2}"), "is not valid JSON at line 2, column 6");
  EXPECT_EQ(ErrorOf("x"), "is not valid JSON at line 1, column 1");
}

TEST(ParseJsonTest, NothingAtAllIsSaidInWords) {
  EXPECT_EQ(ErrorOf(""), "is empty, not JSON");
  EXPECT_EQ(ErrorOf(" \n\t"), "is empty, not JSON");
}

TEST(ParseJsonTest, WhatIsCutOrFollowedByMoreIsNoJson) {
  ErrorOf("{\"a\": 1");
  ErrorOf("{} {}");
  ErrorOf("\"open");
}

TEST(ParseJsonTest, MalformedUtf8IsNoJson) { ErrorOf("\"M\xE4rz\""); }

TEST(ParseJsonTest, HundredLevelsAreTheLimit) {
  const auto nested = [](int levels) {
    return std::string(static_cast<size_t>(levels), '[') +
           std::string(static_cast<size_t>(levels), ']');
  };
  EXPECT_TRUE(ParseJson(nested(100)).ok());
  EXPECT_EQ(ErrorOf(nested(101)), "nests deeper than 100 levels");
  EXPECT_EQ(ErrorOf(std::string(1'000'000, '[')), "nests deeper than 100 levels");
  EXPECT_TRUE(ParseJson(nested(101), 101).ok());
  EXPECT_FALSE(ParseJson(nested(102), 101).ok());
}

TEST(ParseJsonTest, BracketsInStringsAreNoLevels) {
  EXPECT_TRUE(ParseJson("\"\\\"" + std::string(200, '[') + "\"").ok());
}

TEST(DumpJsonTest, IsOneLine) {
  EXPECT_EQ(DumpJson(Json{{"b", 1}, {"a", "x\ny"}}), "{\"a\":\"x\\ny\",\"b\":1}");
}

TEST(DumpJsonTest, KeepsTheOrderOfOrderedKeys) {
  OrderedJson json;
  json["b"] = 1;
  json["a"] = 2;
  EXPECT_EQ(DumpJson(json), "{\"b\":1,\"a\":2}");
}

TEST(DumpJsonTest, ReplacesMalformedUtf8) {
  EXPECT_EQ(DumpJson(Json("M\xE4rz")), "\"M\xEF\xBF\xBDrz\"");
  EXPECT_EQ(DumpJson(OrderedJson("M\xE4rz")), "\"M\xEF\xBF\xBDrz\"");
}

}  // namespace
}  // namespace sparkles
