#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "gcp/gcs_upload.h"
#include "tests/support/gcs_fixture.h"

namespace sparkles {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kSession[] = "http://gcs/upload?upload_id=secret";

class GcsUploadSessionTest : public GcsFixture {
 protected:
  GcsContent Content() {
    return {text_.size(), [this](uint64_t offset, char* buffer, size_t capacity) {
              begun_reading_ += offset == 0 ? 1 : 0;
              return absl::StatusOr<size_t>(text_.copy(buffer, capacity, offset));
            }};
  }
  absl::StatusOr<GcsObject> Upload() {
    const GcsContent content = Content();
    return UploadResumably(client_, name_, content, activity_, hash_first_bytes_);
  }

  void ExpectStored(int64_t generation) {
    const auto object = Upload();
    ASSERT_TRUE(object.ok()) << object.status();
    EXPECT_EQ(object->size, text_.size());
    EXPECT_EQ(object->crc32c, Crc32c(text_));
    EXPECT_EQ(object->generation, generation);
  }

  void ScriptStart(int64_t expected = 0) {
    server_.Answer(absl::StrCat("uploadType=resumable&name=d%2Fo&ifGenerationMatch=", expected),
                   MakeResponse(200, "", {{"Location", kSession}}));
  }
  void ScriptBegin() {
    server_.Answer("?fields=", Missing());
    ScriptStart();
  }
  void ScriptKept(uint64_t bytes) {
    const Headers range = {{"Range", absl::StrCat("bytes=0-", bytes - 1)}};
    server_.Answer("PUT", MakeResponse(308, "", bytes > 0 ? range : Headers()));
  }
  HttpResponse Done(int64_t generation = 5) { return Resource(text_, generation); }

  std::string text_ = Text(1'000'000);
  uint64_t hash_first_bytes_ = 0;
  int begun_reading_ = 0;  // number of reads of the first byte
};

TEST_F(GcsUploadSessionTest, UnbrokenUploadNeedsOnePut) {
  ScriptBegin();
  server_.Answer(kSession, Done());
  ExpectStored(5);
  ASSERT_EQ(server_.lines().size(), 3U);
  EXPECT_EQ(server_.requests()[2].body, text_);
  EXPECT_EQ(Header(server_.requests()[2], "Content-Range"), "bytes 0-999999/1000000");
  EXPECT_EQ(moved_, text_.size());
}

TEST_F(GcsUploadSessionTest, ChecksumIsSentFirstWhenCheap) {
  hash_first_bytes_ = text_.size();
  ScriptBegin();
  server_.Answer(kSession, Done());
  ExpectStored(5);
  EXPECT_THAT(server_.requests()[1].body, HasSubstr(FormatCrc32c(Crc32c(text_))));
}

TEST_F(GcsUploadSessionTest, ReplacementUsesGenerationPrecondition) {
  server_.Answer("?fields=", Resource("old", 3));
  ScriptStart(3);
  server_.Answer(kSession, Done());
  ExpectStored(5);
}

TEST_F(GcsUploadSessionTest, EqualObjectNeedsOneRequest) {
  server_.Answer("?fields=", Done(3));
  ExpectStored(3);
}

TEST_F(GcsUploadSessionTest, NewObjectNeedsNoReadPermission) {
  server_.Answer("?fields=", MakeResponse(403));
  ScriptStart();
  server_.Answer(kSession, Done());
  ExpectStored(5);
}

TEST_F(GcsUploadSessionTest, BrokenUploadResumesAtServerOffset) {
  for (const uint64_t kept : {0U, 262'144U, 500'000U}) {
    ScriptBegin();
    server_.FailUpload(kSession, 500'000, Broken());
    ScriptKept(kept);
    server_.Answer(kSession, Done());
    ExpectStored(5);
    const auto requests = server_.requests();
    const HttpRequest& question = requests[requests.size() - 2];
    EXPECT_EQ(Header(question, "Content-Range"), "bytes */1000000");
    EXPECT_EQ(requests.back().body, text_.substr(kept));
    EXPECT_EQ(Header(requests.back(), "Content-Range"),
              absl::StrCat("bytes ", kept, "-999999/1000000"));
  }
  EXPECT_EQ(moved_, 3 * text_.size());
}

TEST_F(GcsUploadSessionTest, UnkeptBytesAreSentAgain) {
  ScriptBegin();
  ScriptKept(262'144);
  server_.Answer(kSession, Done());
  ExpectStored(5);
  EXPECT_EQ(server_.requests().back().body, text_.substr(262'144));
}

TEST_F(GcsUploadSessionTest, FullyKeptUploadIsOnlyPolled) {
  ScriptBegin();
  ScriptKept(text_.size());
  server_.Answer(kSession, Done());
  ExpectStored(5);
  EXPECT_EQ(Header(server_.requests().back(), "Content-Range"), "bytes */1000000");
}

TEST_F(GcsUploadSessionTest, WaitsGrowWhenNothingIsKept) {
  text_ = Text(2 * kGcsProgressBytes);
  ScriptBegin();
  for (int i = 0; i < 20; ++i) ScriptKept(0);
  server_.Answer("PUT", MakeResponse(403));
  const absl::Time start = clock_.Now();
  EXPECT_TRUE(absl::IsPermissionDenied(Upload().status()));
  EXPECT_GE(clock_.Now() - start, absl::Seconds(10));  // the waits grow
}

TEST_F(GcsUploadSessionTest, LostUploadAnswerIsDetected) {
  for (const int status : {500, 502, 503, 504, 408, 429}) {
    ScriptBegin();
    server_.Answer(kSession, MakeResponse(status));
    server_.Answer(kSession, Done());
    ExpectStored(5);
    EXPECT_EQ(server_.requests().back().body, "");
  }
}

TEST_F(GcsUploadSessionTest, GarbledAnswerIsAskedAgain) {
  ScriptBegin();
  server_.Answer(kSession, MakeResponse(200, R"({"size":"10)"));
  server_.Answer(kSession, Done());
  ExpectStored(5);
}

TEST_F(GcsUploadSessionTest, FailedStatusQueryIsRetried) {
  ScriptBegin();
  server_.FailUpload(kSession, 500'000, Broken());
  server_.Answer(kSession, MakeResponse(503));
  server_.Fail(kSession, Broken());
  ScriptKept(262'144);
  server_.Answer(kSession, Done());
  ExpectStored(5);
}

TEST_F(GcsUploadSessionTest, DeadSessionRestartsFromFirstByte) {
  for (const int status : {404, 410, 499}) {
    ScriptBegin();
    server_.FailUpload(kSession, 500'000, Broken());
    server_.Answer(kSession, MakeResponse(status));
    ScriptStart();
    server_.Answer(kSession, Done());
    ExpectStored(5);
    EXPECT_EQ(server_.requests().back().body, text_);
  }
}

TEST_F(GcsUploadSessionTest, ProxyHtmlPagesAreRetried) {
  for (const int status : {200, 302, 400, 403, 404, 409, 412, 413}) {
    ExpectLongRetry(Page(status), [this](GcsClient& client) {
      return UploadResumably(client, name_, Content(), activity_, 0).status();
    });
  }
}

TEST_F(GcsUploadSessionTest, InvalidSessionUrlIsRetried) {
  server_.Answer("?fields=", Missing());
  for (const char* location :
       {"", "/upload", "ftp://gcs/x", "http://", "http://g cs/x", "http://gcs/#x"}) {
    server_.Answer("uploadType=resumable", MakeResponse(200, "", {{"Location", location}}));
  }
  server_.Answer("uploadType=resumable", MakeResponse(200));
  ScriptStart();
  server_.Answer(kSession, Done());
  ExpectStored(5);
}

TEST_F(GcsUploadSessionTest, HtmlPageKeepsSession) {
  ScriptBegin();
  for (int i = 0; i < 5; ++i) server_.Answer(kSession, Page(200));
  ScriptKept(262'144);
  server_.Answer(kSession, Done());
  ExpectStored(5);
  EXPECT_EQ(server_.requests().back().body, text_.substr(262'144));
}

// Many proxies and firewalls cut an idle connection, so the client must not read the kept bytes
// while a request is open.
TEST_F(GcsUploadSessionTest, KeptBytesAreReadBeforeRequest) {
  ScriptBegin();
  server_.FailUpload(kSession, 500'000, Broken());
  ScriptKept(400'000);
  server_.FailUpload(kSession, 0, Broken());
  server_.Do(kSession, [this](const HttpRequest&) {
    EXPECT_EQ(begun_reading_, 2);
    return MakeResponse(308, "", {{"Range", "bytes=0-399999"}});
  });
  server_.Answer(kSession, Done());
  ExpectStored(5);
}

TEST_F(GcsUploadSessionTest, RepeatedBytesAreSignOfLife) {
  ScriptBegin();
  server_.Answer(kSession, MakeResponse(410));
  uint64_t beats = 0;
  server_.Do("uploadType=resumable", [&](const HttpRequest&) {
    beats = heartbeat_.beats();
    return MakeResponse(200, "", {{"Location", kSession}});
  });
  server_.FailUpload(kSession, 500'000, Broken());
  ScriptKept(400'000);
  server_.Answer(kSession, Done());
  ExpectStored(5);
  EXPECT_EQ(moved_, text_.size());
  EXPECT_GT(heartbeat_.beats(), beats + 1'000);
}

TEST_F(GcsUploadSessionTest, FourDeadSessionsAreMachineFault) {
  server_.Answer("?fields=", Missing());
  for (int i = 0; i < 4; ++i) {
    ScriptStart();
    server_.Answer(kSession, MakeResponse(410));
  }
  const absl::Status status = Upload().status();
  EXPECT_TRUE(absl::IsUnavailable(status) && IsMachineFault(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("4 upload sessions"));
}

// One of the sessions may have made the object before its answer was lost.
TEST_F(GcsUploadSessionTest, ConflictAfterDeadSessionsIsChecked) {
  server_.Answer("?fields=", Missing());
  for (int i = 0; i < 3; ++i) {
    ScriptStart();
    server_.Answer(kSession, MakeResponse(410));
  }
  ScriptStart();
  server_.Answer(kSession, MakeResponse(412));
  server_.Answer("?fields=", Done(8));
  ExpectStored(8);
}

TEST_F(GcsUploadSessionTest, FourLostRacesFail) {
  server_.Answer("?fields=", Missing());
  for (int64_t i = 1; i <= 4; ++i) {
    ScriptStart(i - 1);
    server_.Answer(kSession, MakeResponse(412));
    server_.Answer("?fields=", Resource("theirs", i));
  }
  const absl::Status status = Upload().status();
  EXPECT_TRUE(absl::IsUnavailable(status) && !IsMachineFault(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("other clients keep writing this object"));
}

TEST_F(GcsUploadSessionTest, InconsistentOffsetStartsNewSession) {
  // More bytes than were sent, fewer than were kept before, and a range that starts after byte 0.
  for (const char* second : {"bytes=0-999998", "bytes=0-9", "bytes=5-9"}) {
    ScriptBegin();
    server_.FailUpload(kSession, 500'000, Broken());
    ScriptKept(262'144);
    server_.FailUpload(kSession, 100'000, Broken());
    server_.Answer(kSession, MakeResponse(308, "", {{"Range", second}}));
    ScriptStart();
    server_.Answer(kSession, Done());
    ExpectStored(5);
    EXPECT_EQ(server_.requests().back().body, text_);
  }
}

TEST_F(GcsUploadSessionTest, LostRaceReplacesNewObject) {
  ScriptBegin();
  server_.Answer(kSession, MakeResponse(412));
  server_.Answer("?fields=", Resource("theirs", 8));
  ScriptStart(8);
  server_.Answer(kSession, Done(9));
  ExpectStored(9);
}

TEST_F(GcsUploadSessionTest, ConflictWithEqualObjectIsSuccess) {
  ScriptBegin();
  server_.Answer(kSession, MakeResponse(412));
  server_.Answer("?fields=", Done(8));
  ExpectStored(8);
}

TEST_F(GcsUploadSessionTest, CorruptObjectIsReplaced) {
  ScriptBegin();
  server_.Answer(kSession, Resource("wrong", 5));
  server_.Answer("DELETE", MakeResponse(204));
  ScriptStart();
  server_.Answer(kSession, Done(6));
  ExpectStored(6);
}

TEST_F(GcsUploadSessionTest, RepeatedCorruptionIsMachineFault) {
  ScriptBegin();
  for (int i = 0; i < 3; ++i) {
    server_.Answer(kSession, Resource("wrong", 5));
    server_.Answer("DELETE", MakeResponse(403));
    if (i < 2) ScriptStart(5);
  }
  const absl::Status status = Upload().status();
  EXPECT_TRUE(absl::IsDataLoss(status) && IsMachineFault(status)) << status;
}

TEST_F(GcsUploadSessionTest, RetriesEndWhenNothingIsKept) {
  ScriptBegin();
  for (int i = 0; i < 100; ++i) {
    server_.FailUpload(kSession, 500'000, Broken());
    ScriptKept(0);
  }
  EXPECT_TRUE(absl::IsUnavailable(Upload().status()));
  EXPECT_LT(server_.lines().size(), 202U);
  HttpRequest rest;  // uses the remaining answers
  rest.method = "PUT";
  rest.url = kSession;
  while (server_.lines().size() < 202) (void)server_.Send(rest);
}

TEST_F(GcsUploadSessionTest, ProgressResetsDeadline) {
  ScriptBegin();
  for (uint64_t at = 0; at < 900'000; at += 100'000) {
    server_.Do(kSession, [this](const HttpRequest&) -> absl::StatusOr<HttpResponse> {
      clock_.Advance(absl::Minutes(4));
      return Broken();
    });
    ScriptKept(at + 100'000);
  }
  server_.Answer(kSession, Done());
  ExpectStored(5);
}

// The server may still process the request whose connection broke.
TEST_F(GcsUploadSessionTest, BusySessionIsPolledAndResumed) {
  for (const int status : {409, 400}) {
    ScriptBegin();
    server_.FailUpload(kSession, 500'000, Broken());
    server_.Answer(kSession, MakeResponse(status, "Concurrent requests received."));
    ScriptKept(262'144);
    server_.Answer(kSession, MakeResponse(status, "Concurrent requests received."));
    ScriptKept(524'288);
    server_.Answer(kSession, Done());
    ExpectStored(5);
    const auto requests = server_.requests();
    EXPECT_EQ(requests.back().body, text_.substr(524'288));
    EXPECT_EQ(Header(requests[requests.size() - 2], "Content-Range"), "bytes */1000000");
  }
}

TEST_F(GcsUploadSessionTest, BusySessionIsPolledForMinutes) {
  ScriptBegin();
  server_.FailUpload(kSession, 500'000, Broken());
  for (int i = 0; i < 12; ++i) server_.Answer(kSession, MakeResponse(409));
  ScriptKept(262'144);
  server_.Answer(kSession, Done());
  ExpectStored(5);
}

TEST_F(GcsUploadSessionTest, RefusedSessionIsReplacedOnce) {
  server_.Answer("?fields=", Missing());
  for (int session = 0; session < 2; ++session) {
    ScriptStart();
    for (int i = 0; i < 4; ++i) server_.Answer(kSession, MakeResponse(400, "Invalid request."));
  }
  const absl::Status status = Upload().status();
  EXPECT_TRUE(absl::IsInvalidArgument(status) && !IsMachineFault(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("Invalid request."));
}

TEST_F(GcsUploadSessionTest, UnfinishedObjectIsOnlyPolled) {
  ScriptBegin();
  for (int i = 0; i < 12; ++i) ScriptKept(text_.size());
  server_.Answer(kSession, Done());
  ExpectStored(5);
  for (size_t i = 3; i < server_.requests().size(); ++i) {
    EXPECT_EQ(server_.requests()[i].body, "");
  }
  EXPECT_GE(clock_.sleeps().size(), 12U);
}

TEST_F(GcsUploadSessionTest, ErrorsHideSessionUrl) {
  server_.Answer("?fields=", Missing());
  for (int i = 0; i < 8; ++i) {
    if (i % 4 == 0) ScriptStart();
    server_.Answer(kSession, MakeResponse(400, absl::StrCat("cannot PUT ", kSession)));
  }
  const absl::Status status = Upload().status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret")));
}

TEST_F(GcsUploadSessionTest, TlsUploadRefusesPlainSession) {
  ApiClient api({"https://gcs", nullptr}, server_, clock_);
  RetryPolicy policy;
  policy.max_elapsed = absl::ZeroDuration();
  GcsClient client(api, clock_, policy);
  ScriptBegin();
  const GcsContent content{5, nullptr};
  EXPECT_FALSE(UploadResumably(client, name_, content, activity_, 0).ok());
}

TEST_F(GcsUploadSessionTest, CancelledUploadKeepsReason) {
  ScriptBegin();
  server_.Do(kSession, [this](const HttpRequest&) {
    cancel_.Cancel(CancelKind::kKilled, "job killed");
    return Broken();
  });
  const absl::Status status = Upload().status();
  EXPECT_TRUE(absl::IsCancelled(status));
  EXPECT_EQ(status.message(), "job killed");
}

}  // namespace
}  // namespace sparkles
