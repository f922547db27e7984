#include "gcp/gcs_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "base/status.h"
#include "tests/support/gcs_fixture.h"

namespace sparkles {
namespace {

using testing::HasSubstr;

class GcsReaderTest : public GcsFixture {
 protected:
  absl::StatusOr<GcsObject> Read() {
    GcsReader reader(client_, name_, activity_, [this](uint64_t offset, absl::string_view piece) {
      content_.resize(offset);
      content_.append(piece.data(), piece.size());
      return sink_status_;
    });
    return reader.ReadWhole([](const GcsVersion&) { return absl::OkStatus(); });
  }

  void ExpectRead(const std::string& content) {
    const auto object = Read();
    ASSERT_TRUE(object.ok()) << object.status();
    EXPECT_EQ(content_.substr(0, object->size), content);
    EXPECT_EQ(object->size, content.size());
    EXPECT_EQ(object->crc32c, Crc32c(content));
  }

  const std::string text_ = Text(200'000);
  std::string content_;
  absl::Status sink_status_;
};

TEST_F(GcsReaderTest, SmallObjectNeedsOneRequest) {
  server_.Answer("GET http://gcs/storage/v1/b/b/o/d%2Fo?alt=media", Media(200, "hello", "hello"));
  ExpectRead("hello");
  EXPECT_EQ(Header(server_.requests()[0], "Accept-Encoding"), "gzip");
  EXPECT_EQ(Header(server_.requests()[0], "Range"), "");
  EXPECT_EQ(moved_, 5U);
}

TEST_F(GcsReaderTest, EmptyObjectIsRead) {
  server_.Answer("", Media(200, "", ""));
  ExpectRead("");
}

TEST_F(GcsReaderTest, BrokenReadResumesSameGeneration) {
  server_.BreakOff("", Media(200, text_, text_.substr(0, 100'000)), Broken());
  server_.Answer("&generation=7", MakeResponse(503, "busy"));
  server_.BreakOff("&generation=7",
                   Media(206, text_, text_.substr(100'000, 50'000), 7,
                         {{"Content-Range", "bytes 100000-199999/200000"}}),
                   Broken());
  server_.Answer("&generation=7", Rest(text_, 150'000));
  ExpectRead(text_);
  EXPECT_EQ(Header(server_.requests()[3], "Range"), "bytes=150000-");
  EXPECT_EQ(moved_, 200'000U);
}

TEST_F(GcsReaderTest, ShortBodyIsResumed) {
  server_.Answer("", Media(200, "hello", "hel"));
  server_.Answer("generation=7", Rest("hello", 3));
  ExpectRead("hello");
}

TEST_F(GcsReaderTest, BreakAfterLastByteIsIgnored) {
  server_.BreakOff("", Media(200, "hello", "hello"), Broken());
  ExpectRead("hello");
}

TEST_F(GcsReaderTest, IgnoredRangeRestartsRead) {
  server_.BreakOff("", Media(200, text_, text_.substr(0, 100'000)), Broken());
  server_.Answer("generation=7", Media(200, text_, text_));
  ExpectRead(text_);
  EXPECT_EQ(moved_, 200'000U);
}

TEST_F(GcsReaderTest, RestWithStatus200IsAccepted) {
  server_.BreakOff("", Media(200, text_, text_.substr(0, 100'000)), Broken());
  HttpResponse rest = Rest(text_, 100'000);
  rest.status = 200;
  server_.Answer("generation=7", rest);
  ExpectRead(text_);
  EXPECT_EQ(server_.lines().size(), 2U);
}

TEST_F(GcsReaderTest, WholeWithContentRangeRestartsRead) {
  server_.BreakOff("", Media(200, text_, text_.substr(0, 100'000)), Broken());
  HttpResponse whole = Rest(text_, 0);
  whole.status = 200;
  server_.Answer("generation=7", whole);
  ExpectRead(text_);
  EXPECT_EQ(moved_, 200'000U);
}

TEST_F(GcsReaderTest, SliceWithStatus200IsAccepted) {
  HttpResponse slice =
      Media(200, "hello", "ell", 7, {{"Content-Range", "bytes 1-3/5"}, {"Content-Length", "3"}});
  server_.Answer("generation=7", slice);
  GcsReader reader(client_, name_, activity_, [this](uint64_t, absl::string_view piece) {
    content_.append(piece.data(), piece.size());
    return absl::OkStatus();
  });
  const auto crc = reader.ReadRange({5, 7, Crc32c("hello"), false}, 1, 4);
  ASSERT_TRUE(crc.ok()) << crc.status();
  EXPECT_EQ(content_, "ell");
}

TEST_F(GcsReaderTest, ReplacedObjectRestartsRead) {
  server_.BreakOff("", Media(200, text_, text_.substr(0, 100'000)), Broken());
  server_.Answer("generation=7", MakeResponse(404, "No such object: b/d/o"));
  server_.Answer("alt=media", Media(200, "new", "new", 8));
  ExpectRead("new");
}

TEST_F(GcsReaderTest, WrongRangeIsRejected) {
  server_.BreakOff("", Media(200, "hello", "he"), Broken());
  server_.Answer("generation=7", Rest("hello", 3));
  server_.Answer("alt=media", Media(200, "hello", "hello"));
  ExpectRead("hello");
}

TEST_F(GcsReaderTest, WrongGenerationIsRejected) {
  server_.BreakOff("", Media(200, "hello", "he"), Broken());
  server_.Answer("generation=7", Rest("HELLO", 2, 8));
  server_.Answer("alt=media", Media(200, "HELLO", "HELLO", 8));
  ExpectRead("HELLO");
}

TEST_F(GcsReaderTest, CorruptBodyRestartsRead) {
  server_.Answer("", Media(200, "hello", "hellO"));
  server_.Answer("", Media(200, "hello", "hello"));
  ExpectRead("hello");
}

TEST_F(GcsReaderTest, CorruptionBeforeBreakIsDetected) {
  server_.BreakOff("", Media(200, "hello", "hE"), Broken());
  server_.Answer("generation=7", Rest("hello", 2));
  server_.Answer("", Media(200, "hello", "hello"));
  ExpectRead("hello");
}

TEST_F(GcsReaderTest, RepeatedCorruptionIsMachineFault) {
  for (int i = 0; i < 3; ++i) server_.Answer("", Media(200, "hello", "hellO"));
  const absl::Status status = Read().status();
  EXPECT_TRUE(absl::IsDataLoss(status) && IsMachineFault(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("mnG7TA=="));
}

TEST_F(GcsReaderTest, RepeatedOverlongBodyIsMachineFault) {
  for (int i = 0; i < 3; ++i) server_.Answer("", Media(200, "hello", "hello, world"));
  EXPECT_TRUE(IsMachineFault(Read().status()));
}

TEST_F(GcsReaderTest, RepeatedReplacementIsMachineFault) {
  for (int i = 0; i < 3; ++i) {
    server_.BreakOff("alt=media", Media(200, "hello", "hel"), Broken());
    server_.Answer("generation=7", MakeResponse(404, "No such object: b/d/o"));
  }
  const absl::Status status = Read().status();
  EXPECT_TRUE(IsMachineFault(status) && !absl::IsNotFound(status)) << status;
}

TEST_F(GcsReaderTest, Repeated416IsMachineFault) {
  for (int i = 0; i < 3; ++i) {
    server_.BreakOff("alt=media", Media(200, "hello", "hel"), Broken());
    server_.Answer("generation=7", MakeResponse(416));
  }
  const absl::Status status = Read().status();
  EXPECT_TRUE(absl::IsDataLoss(status) && IsMachineFault(status)) << status;
}

TEST_F(GcsReaderTest, MissingChecksumComesFromMetadata) {
  server_.Answer("alt=media", MakeResponse(200, "hello", {{"X-Goog-Generation", "7"}}));
  server_.Answer("?fields=", Resource("hello", 7));
  ExpectRead("hello");
}

TEST_F(GcsReaderTest, GzipContentIsNotDecompressed) {
  server_.Answer("",
                 Media(200, "\x1F\x8B zip", "\x1F\x8B zip", 7,
                       {{"X-Goog-Stored-Content-Encoding", "gzip"}, {"Content-Encoding", "gzip"}}));
  ExpectRead("\x1F\x8B zip");
}

TEST_F(GcsReaderTest, ServerDecompressionIsMachineFault) {
  server_.Answer("",
                 Media(200, "zip", "unzipped", 7, {{"X-Goog-Stored-Content-Encoding", "gzip"}}));
  const absl::Status status = Read().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status) && IsMachineFault(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("decompresses"));
}

TEST_F(GcsReaderTest, ProxyHtmlPagesAreRetried) {
  for (const int status : {200, 203, 204, 206, 302, 403, 404, 412}) {
    ExpectLongRetry(Page(status), [this](GcsClient& client) {
      GcsReader reader(client, name_, activity_,
                       [](uint64_t, absl::string_view) { return absl::OkStatus(); });
      return reader.ReadWhole(nullptr).status();
    });
  }
}

TEST_F(GcsReaderTest, HtmlPageKeepsReceivedBytes) {
  server_.BreakOff("", Media(200, text_, text_.substr(0, 100'000)), Broken());
  for (int i = 0; i < 5; ++i) {
    server_.Answer("generation=7", Page(200));
    server_.Answer("generation=7", Page(206));
    server_.Answer("generation=7", Page(404));
  }
  server_.Answer("generation=7", Rest(text_, 100'000));
  ExpectRead(text_);
  EXPECT_EQ(Header(server_.requests().back(), "Range"), "bytes=100000-");
}

TEST_F(GcsReaderTest, WrongLengthWithoutGenerationIsRejected) {
  server_.BreakOff("", MakeResponse(200, "hel", {{"X-Goog-Stored-Content-Length", "5"}}), Broken());
  server_.Answer("", MakeResponse(200, "<html>", {{"Content-Length", "6"}}));
  server_.Answer("", MakeResponse(200, "hello", {{"Content-Length", "5"}}));
  server_.Answer("?fields=", Resource("hello", 7));
  ExpectRead("hello");
}

TEST_F(GcsReaderTest, RangeReadAllowsTwoWrongAnswers) {
  const GcsVersion version{5, 7, Crc32c("hello"), false};
  const HttpResponse elsewhere = Rest("hello", 3);
  for (const int wrong : {2, 3}) {
    for (int i = 0; i < wrong; ++i) server_.Answer("generation=7", elsewhere);
    if (wrong == 2) server_.Answer("generation=7", Rest("hello", 1));
    GcsReader reader(client_, name_, activity_, [this](uint64_t offset, absl::string_view piece) {
      content_.resize(offset);
      content_.append(piece.data(), piece.size());
      return absl::OkStatus();
    });
    const auto crc = reader.ReadRange(version, 1, 5);
    EXPECT_EQ(crc.ok(), wrong == 2) << crc.status();
    EXPECT_EQ(crc.value_or(0), wrong == 2 ? Crc32c("ello") : 0);
  }
}

TEST_F(GcsReaderTest, RepeatedBytesAreSignOfLife) {
  server_.Answer("", Media(200, text_, text_.substr(1) + "?"));
  server_.Answer("", Media(200, text_, text_));
  ExpectRead(text_);
  EXPECT_EQ(moved_, text_.size());
  EXPECT_GT(heartbeat_.beats(), 390);  // twice 200 pieces
}

TEST_F(GcsReaderTest, WaitForServerIsNoSignOfLife) {
  server_.Answer("", MakeResponse(404, "No such object: b/d/o"));
  EXPECT_FALSE(Read().ok());
  EXPECT_EQ(heartbeat_.beats(), 0);
}

TEST_F(GcsReaderTest, AbsentObjectIsNotRetried) {
  server_.Answer("", MakeResponse(404, "No such object: b/d/o"));
  const absl::Status status = Read().status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("No such object: b/d/o"));
}

TEST_F(GcsReaderTest, RefusedReadIsNotRetried) {
  server_.Answer("", MakeResponse(403, "no"));
  EXPECT_TRUE(absl::IsPermissionDenied(Read().status()));
}

TEST_F(GcsReaderTest, SinkErrorEndsRead) {
  sink_status_ = ErrnoError(ENOSPC, "write");
  server_.Answer("", Media(200, "hello", "hello"));
  EXPECT_TRUE(IsMachineFault(Read().status()));
}

TEST_F(GcsReaderTest, RetriesEndWithoutProgress) {
  for (int i = 0; i < 200; ++i) server_.Answer("", MakeResponse(503, "down"));
  EXPECT_TRUE(absl::IsUnavailable(Read().status()));
  EXPECT_GT(clock_.sleeps().size(), 8U);
  EXPECT_LT(server_.lines().size(), 200U);
  while (server_.lines().size() < 200) (void)server_.Send({});
}

TEST_F(GcsReaderTest, ProgressResetsDeadline) {
  const std::string text = Text(20 * 65'536);
  for (size_t i = 0; i < 20; ++i) {
    // Without progress, the read would end after five minutes.
    const auto part = absl::string_view(text).substr(i * 65'536, 65'536);
    const std::string range =
        absl::StrCat("bytes ", i * 65'536, "-", text.size() - 1, "/", text.size());
    server_.Do("", [=, this](const HttpRequest&) {
      clock_.Advance(absl::Minutes(1));
      return Media(i == 0 ? 200 : 206, text, part, 7, {{"Content-Range", range}});
    });
  }
  ExpectRead(text);
}

TEST_F(GcsReaderTest, CancelledReadKeepsReason) {
  server_.Do("", [this](const HttpRequest&) {
    cancel_.Cancel(CancelKind::kHandBack, "preempted");
    return Broken();
  });
  const absl::Status status = Read().status();
  EXPECT_TRUE(absl::IsCancelled(status));
  EXPECT_EQ(status.message(), "preempted");
}

}  // namespace
}  // namespace sparkles
