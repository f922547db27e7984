#include "base/json.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

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

TEST(ParseJsonTest, ErrorsGiveLineAndColumn) {
  EXPECT_EQ(ErrorOf("{\"a\": 1,\n \"b\" 2}"), "is not valid JSON at line 2, column 6");
  EXPECT_EQ(ErrorOf("x"), "is not valid JSON at line 1, column 1");
}

TEST(ParseJsonTest, EmptyTextIsReportedAsEmpty) {
  EXPECT_EQ(ErrorOf(""), "is empty, not JSON");
  EXPECT_EQ(ErrorOf(" \n\t"), "is empty, not JSON");
}

TEST(ParseJsonTest, TruncatedOrTrailingTextIsRefused) {
  ErrorOf("{\"a\": 1");
  ErrorOf("{} {}");
  ErrorOf("\"open");
}

TEST(ParseJsonTest, MalformedUtf8IsRefused) { ErrorOf("\"M\xE4rz\""); }

TEST(ParseJsonTest, NestingIsLimited) {
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

TEST(ParseJsonTest, BracketsInStringsAreNotNesting) {
  EXPECT_TRUE(ParseJson("\"\\\"" + std::string(200, '[') + "\"").ok());
}

TEST(DumpJsonTest, OutputIsOneLine) {
  EXPECT_EQ(DumpJson(Json{{"b", 1}, {"a", "x\ny"}}), "{\"a\":\"x\\ny\",\"b\":1}");
}

TEST(DumpJsonTest, OrderedKeysKeepTheirOrder) {
  OrderedJson json;
  json["b"] = 1;
  json["a"] = 2;
  EXPECT_EQ(DumpJson(json), "{\"b\":1,\"a\":2}");
}

TEST(DumpJsonTest, ReplacesMalformedUtf8) {
  EXPECT_EQ(DumpJson(Json("M\xE4rz")), "\"M\xEF\xBF\xBDrz\"");
  EXPECT_EQ(DumpJson(OrderedJson("M\xE4rz")), "\"M\xEF\xBF\xBDrz\"");
}

TEST(ParseJsonTest, ListElementsAreStreamed) {
  std::vector<std::string> taken;
  const auto take = [&taken](const Json& element) { taken.push_back(DumpJson(element)); };
  const auto json = ParseJsonWithList(
      R"({"a": [1], "list": [{"list": [2]}, 3, [4, [5]], null, "x"], "b": {"list": [6]}})", "list",
      take);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(DumpJson(*json), R"({"a":[1],"b":{"list":[6]},"list":[]})");
  EXPECT_EQ(taken, (std::vector<std::string>{R"({"list":[2]})", "3", "[4,[5]]", "null", "\"x\""}));
  taken.clear();
  EXPECT_EQ(DumpJson(ParseJsonWithList(R"([{"list": [1]}])", "list", take).value()),
            R"([{"list":[1]}])");
  EXPECT_EQ(DumpJson(ParseJsonWithList(R"({"list": {"a": 1}})", "list", take).value()),
            R"({"list":{"a":1}})");
  EXPECT_EQ(ParseJsonWithList(R"({"list": [1, )", "list", [](const Json&) {}).status().message(),
            "is not valid JSON at line 1, column 14");
  EXPECT_EQ(taken, std::vector<std::string>());
}

TEST(ParseJsonTest, TimeGrowsLinearly) {
  // A parser that searches the list again after each object needs minutes for this text.
  std::string objects = "{\"a\": [{}";
  for (int i = 0; i < 300'000; ++i) objects += ",{}";
  const auto started = std::chrono::steady_clock::now();
  EXPECT_EQ(ParseJsonWithList(objects + "]}", "list", [](const Json&) {})->at("a").size(), 300'001);
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(20));
}

TEST(ParseJsonTest, ValuesOutsideListAreLimited) {
  std::string values = "[0";
  for (int i = 0; i < 4'000'000; ++i) values += ",1";
  values += "]";
  size_t taken = 0;
  const auto json = ParseJsonWithList("{\"list\": " + values + ", \"other\": " + values + "}",
                                      "list", [&taken](const Json&) { ++taken; });
  EXPECT_EQ(json.status().message(), "holds more than 4000000 values");
  EXPECT_EQ(taken, 4'000'001);
}

TEST(JsonFieldTest, AbsentAndWrongTypesAreToldApart) {
  const Json json = ParseJson(R"({"text": "a", "number": 7, "half": 0.5, "none": null})").value();
  EXPECT_EQ(JsonField(json, "absent"), nullptr);
  EXPECT_EQ(JsonField(Json(5), "text"), nullptr);
  EXPECT_NE(JsonField(json, "none"), nullptr);
  EXPECT_EQ(JsonValue(json, "none"), nullptr);
  EXPECT_NE(JsonValue(json, "number"), nullptr);
  EXPECT_EQ(JsonText(json, "text"), "a");
  EXPECT_EQ(JsonText(json, "number"), "");
  EXPECT_EQ(ReadJsonText(json, "text").value(), "a");
  EXPECT_EQ(ReadJsonText(json, "absent").value(), "");
  EXPECT_EQ(ReadJsonText(json, "none").value(), "");
  EXPECT_EQ(ReadJsonText(json, "number").status().message(), "number: must be a string");
  EXPECT_EQ(JsonInteger(json, "number"), 7);
  EXPECT_EQ(JsonInteger(json, "half"), std::nullopt);
  EXPECT_EQ(JsonInteger(json, "text"), std::nullopt);
}

}  // namespace
}  // namespace sparkles
