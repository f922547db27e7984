#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "absl/strings/match.h"
#include "base/permission.h"
#include "gcp/gcs_upload.h"
#include "tests/support/gcs_fixture.h"

namespace sparkles {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class GcsUploadAtOnceTest : public GcsFixture {
 protected:
  static GcsContent ContentOf(const std::string& text) {
    return {text.size(),
            [text](uint64_t offset, char* buffer, size_t capacity) -> absl::StatusOr<size_t> {
              return text.copy(buffer, capacity, offset);
            }};
  }

  absl::StatusOr<GcsObject> Upload(const std::string& text) {
    return UploadAtOnce(client_, name_, ContentOf(text), activity_);
  }

  void ExpectStored(const std::string& text, int64_t generation) {
    const auto object = Upload(text);
    ASSERT_TRUE(object.ok()) << object.status();
    EXPECT_EQ(object->size, text.size());
    EXPECT_EQ(object->crc32c, Crc32c(text));
    EXPECT_EQ(object->generation, generation);
  }
};

TEST_F(GcsUploadAtOnceTest, NewObjectNeedsOneRequest) {
  for (const size_t size : {0U, 5U, 65'536U, 65'537U, 3'000'000U}) {
    server_.Answer(
        "POST http://gcs/upload/storage/v1/b/b/o?uploadType=multipart&name=d%2Fo"
        "&ifGenerationMatch=0",
        Resource(Text(size), 5));
    ExpectStored(Text(size), 5);
    const std::string body = server_.requests().back().body;
    EXPECT_TRUE(absl::StrContains(body, "\r\n\r\n" + Text(size) + "\r\n--sparkles-"));
    EXPECT_THAT(body, HasSubstr(FormatCrc32c(Crc32c(Text(size)))));
    EXPECT_THAT(Header(server_.requests().back(), "Content-Type"),
                StartsWith("multipart/related; boundary=sparkles-"));
  }
  EXPECT_EQ(moved_, 0U + 5 + 65'536 + 65'537 + 3'000'000);
}

TEST_F(GcsUploadAtOnceTest, ReplacementUsesGenerationPrecondition) {
  server_.Answer("ifGenerationMatch=0", MakeResponse(412));
  server_.Answer("GET", Resource("old", 3));
  server_.Answer("ifGenerationMatch=3", Resource("new", 4));
  ExpectStored("new", 4);
  EXPECT_TRUE(clock_.sleeps().empty());
}

TEST_F(GcsUploadAtOnceTest, LostClaimReplacesNothing) {
  GcsContent content = ContentOf("the loser's");
  content.before_replacing = [] { return absl::CancelledError("the claim is lost"); };
  server_.Answer("ifGenerationMatch=0", MakeResponse(412));
  server_.Answer("GET", Resource("the winner's", 3));
  const auto object = UploadAtOnce(client_, name_, content, activity_);
  EXPECT_TRUE(absl::IsCancelled(object.status())) << object.status();
}

TEST_F(GcsUploadAtOnceTest, UnknownClaimDelaysReplacement) {
  int asked = 0;
  GcsContent content = ContentOf("new");
  content.before_replacing = [&asked] {
    return ++asked == 1 ? absl::PermissionDeniedError("403") : absl::OkStatus();
  };
  server_.Answer("ifGenerationMatch=0", MakeResponse(412));
  server_.Answer("GET", Resource("old", 3));
  server_.Answer("GET", Resource("old", 4));
  server_.Answer("ifGenerationMatch=4", Resource("new", 5));
  const auto object = UploadAtOnce(client_, name_, content, activity_);
  EXPECT_TRUE(object.ok()) << object.status();
  EXPECT_EQ(asked, 2);
}

TEST_F(GcsUploadAtOnceTest, UnreadableOldObjectIsNamed) {
  server_.Answer("POST", MakeResponse(412));
  server_.Answer("GET", MakeResponse(403));
  const absl::Status status = Upload("new").status();
  EXPECT_TRUE(IsObjectProtected(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("storage.objects.get"));
}

TEST_F(GcsUploadAtOnceTest, UnreplaceableOldObjectIsNamed) {
  server_.Answer("POST", MakeResponse(412));
  server_.Answer("GET", Resource("old", 3));
  server_.Answer("ifGenerationMatch=3", MakeResponse(403));
  const absl::Status status = Upload("new").status();
  EXPECT_TRUE(IsObjectProtected(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("storage.objects.delete"));
}

TEST_F(GcsUploadAtOnceTest, EqualObjectIsNotWrittenAgain) {
  server_.Answer("POST", MakeResponse(412));
  server_.Answer("GET", Resource("same", 3));
  ExpectStored("same", 3);
}

TEST_F(GcsUploadAtOnceTest, LostUploadAnswerIsDetected) {
  for (const HttpResponse& lost : {MakeResponse(503), MakeResponse(408)}) {
    server_.Answer("ifGenerationMatch=0", lost);
    server_.Answer("ifGenerationMatch=0", MakeResponse(412));
    server_.Answer("GET", Resource("mine", 5));
    ExpectStored("mine", 5);
  }
}

TEST_F(GcsUploadAtOnceTest, LostReplacementAnswerIsDetected) {
  server_.Answer("ifGenerationMatch=0", MakeResponse(412));
  server_.Answer("GET", Resource("old", 3));
  server_.Fail("ifGenerationMatch=3", Broken());
  server_.Answer("ifGenerationMatch=3", MakeResponse(412));
  server_.Answer("GET", Resource("mine", 4));
  ExpectStored("mine", 4);
}

TEST_F(GcsUploadAtOnceTest, BrokenUploadIsSentAgain) {
  const std::string text = Text(300'000);
  server_.FailUpload("POST", 100'000, Broken());
  server_.Answer("POST", Resource(text, 5));
  ExpectStored(text, 5);
  EXPECT_TRUE(absl::StrContains(server_.requests()[1].body, text));
  EXPECT_EQ(moved_, 300'000U);
}

TEST_F(GcsUploadAtOnceTest, GarbledAnswerIsLookedUp) {
  server_.Answer("POST", MakeResponse(200, R"({"size":"4","gener)"));
  server_.Answer("GET", Resource("mine", 5));
  ExpectStored("mine", 5);
}

TEST_F(GcsUploadAtOnceTest, CorruptObjectIsReplaced) {
  server_.Answer("ifGenerationMatch=0", Resource("mime", 5));
  server_.Answer("DELETE http://gcs/storage/v1/b/b/o/d%2Fo?ifGenerationMatch=5", MakeResponse(204));
  server_.Answer("GET", Missing());
  server_.Answer("ifGenerationMatch=0", Resource("mine", 6));
  ExpectStored("mine", 6);
}

TEST_F(GcsUploadAtOnceTest, ProxyHtmlPagesAreRetried) {
  for (const int status : {200, 302, 403, 404, 412}) {
    ExpectLongRetry(Page(status), [this](GcsClient& client) {
      return UploadAtOnce(client, name_, ContentOf("mine"), activity_).status();
    });
  }
}

TEST_F(GcsUploadAtOnceTest, RepeatedCorruptionIsMachineFault) {
  for (int i = 0; i < 3; ++i) {
    server_.Answer("POST", Resource("mime", 5));
    server_.Answer("DELETE", MakeResponse(403));
    if (i < 2) server_.Answer("GET", Resource("mime", 5));
  }
  const absl::Status status = Upload("mine").status();
  EXPECT_TRUE(absl::IsDataLoss(status) && IsMachineFault(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("do not use it"));
}

TEST_F(GcsUploadAtOnceTest, RefusedChecksumIsTriedThreeTimes) {
  for (int i = 0; i < 3; ++i) {
    server_.Answer("POST", MakeResponse(400, "Provided CRC32C does not match"));
  }
  const absl::Status status = Upload("mine").status();
  EXPECT_TRUE(absl::IsDataLoss(status) && IsMachineFault(status)) << status;
}

TEST_F(GcsUploadAtOnceTest, CompetingWritersFailTask) {
  for (int i = 0; i < 10; ++i) {
    server_.Answer("POST", MakeResponse(412));
    if (i < 9) server_.Answer("GET", Resource("theirs", i + 1));
  }
  const absl::Status status = Upload("mine").status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("other clients keep writing this object"));
  EXPECT_FALSE(IsMachineFault(status));
}

TEST_F(GcsUploadAtOnceTest, RefusedUploadIsNotRetried) {
  server_.Answer("POST", MakeResponse(403));
  EXPECT_TRUE(absl::IsPermissionDenied(Upload("x").status()));
  server_.Answer("POST", Missing());
  const absl::Status status = Upload("x").status();
  EXPECT_TRUE(absl::IsNotFound(status) && !IsMachineFault(status)) << status;
  server_.Answer("POST",
                 MakeResponse(404, "Not Found"));  // the answer for a bucket that does not exist
  EXPECT_TRUE(absl::IsNotFound(Upload("x").status()));
}

TEST_F(GcsUploadAtOnceTest, ChangedContentAbortsUpload) {
  int reads = 0;
  const GcsContent content{
      100'000, [&reads](uint64_t, char* buffer, size_t capacity) -> absl::StatusOr<size_t> {
        memset(buffer, reads++ < 2 ? 'a' : 'b', capacity);
        return capacity;
      }};
  server_.Answer("POST", Resource("", 1));
  const absl::Status status = UploadAtOnce(client_, name_, content, activity_).status();
  EXPECT_TRUE(absl::IsAborted(status)) << status;
  EXPECT_LT(server_.requests()[0].body.size(), 100'000U);
}

}  // namespace
}  // namespace sparkles
