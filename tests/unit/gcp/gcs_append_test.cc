#include "gcp/gcs_append.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/json.h"
#include "tests/support/gcs_fixture.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class GcsAppendTest : public GcsFixture {
 protected:
  static constexpr char kCompose[] = "POST http://gcs/storage/v1/b/b/o/d%2Fo/compose";

  // Appends "two" with generation 4 to "one " with generation 3.
  absl::StatusOr<GcsObject> Append(GcsClient& client) {
    const GcsObject head = {.size = 4, .generation = 3, .crc32c = Crc32c("one ")};
    const GcsPart part = {{"b", "d/o.part"}, {.size = 3, .generation = 4, .crc32c = Crc32c("two")}};
    return AppendPart(client, name_, head, part, "text/plain", activity_);
  }

  void ExpectAppended() {
    const auto object = Append(client_);
    ASSERT_TRUE(object.ok()) << object.status();
    EXPECT_EQ(object->size, 7);
    EXPECT_EQ(object->generation, 5);
    EXPECT_EQ(object->crc32c, Crc32c("one two"));
  }
};

TEST_F(GcsAppendTest, EveryGenerationIsNamed) {
  server_.Answer("/compose?ifGenerationMatch=3", Resource("one two", 5));
  ExpectAppended();
  EXPECT_THAT(server_.lines(), ElementsAre(std::string(kCompose) + "?ifGenerationMatch=3"));
  const Json body = ParseJson(server_.requests()[0].body).value();
  const auto source = [](const char* name, const char* generation) {
    return Json{{"name", name},
                {"generation", generation},
                {"objectPreconditions", {{"ifGenerationMatch", generation}}}};
  };
  EXPECT_EQ(body["sourceObjects"], Json({source("d/o", "3"), source("d/o.part", "4")}));
  EXPECT_EQ(body["destination"]["contentType"], "text/plain");
}

TEST_F(GcsAppendTest, LostAnswerIsDetected) {
  for (const int status : {412, 404}) {
    server_.Fail(kCompose, Broken());
    server_.Answer(kCompose, status == 404 ? Missing() : MakeResponse(412));
    server_.Answer("GET", Resource("one two", 5));
    ExpectAppended();
  }
}

TEST_F(GcsAppendTest, UnreadableAnswerIsCheckedAgain) {
  server_.Answer(kCompose, MakeResponse(200, "{\"size\":"));
  server_.Answer(kCompose, MakeResponse(412));
  server_.Answer("GET", Resource("one two", 5));
  ExpectAppended();
}

TEST_F(GcsAppendTest, ReplacedObjectIsKept) {
  server_.Answer(kCompose, MakeResponse(412));
  server_.Answer("GET", Resource("another", 9));
  const absl::Status status = Append(client_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("the object was replaced"));
}

TEST_F(GcsAppendTest, RemovedObjectIsNoSuccess) {
  server_.Answer(kCompose, MakeResponse(412));
  server_.Answer("GET", Missing());
  EXPECT_TRUE(absl::IsFailedPrecondition(Append(client_).status()));
}

TEST_F(GcsAppendTest, ReplacedPartIsNamed) {
  server_.Answer(kCompose, Missing());
  server_.Answer("GET", Resource("one ", 3));
  const absl::Status status = Append(client_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("the part"));
}

TEST_F(GcsAppendTest, WrongJoinIsDataLoss) {
  server_.Answer(kCompose, Resource("one twö", 5));
  EXPECT_TRUE(absl::IsDataLoss(Append(client_).status()));
}

TEST_F(GcsAppendTest, PageOfProxyIsRetried) {
  for (const int status : {404, 503}) {
    ExpectLongRetry(Page(status), [&](GcsClient& client) { return Append(client).status(); });
  }
}

}  // namespace
}  // namespace sparkles
