#include "storage/gcs_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <latch>
#include <map>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "base/file.h"
#include "base/mutex.h"
#include "base/status.h"
#include "tests/support/gcs_fixture.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class GcsStoreTest : public GcsFixture {
 protected:
  GcsStoreTest() {
    options_.upload_at_once_bytes = 400'000;
    options_.slice_from_bytes = 400'000;
    options_.min_slice_bytes = 100'000;
    options_.max_slices = 4;
  }

  UniqueFd File(const std::string& content = "") {
    auto fd = OpenFile(directory_ / absl::StrCat(files_++), O_RDWR | O_CREAT | O_EXCL);
    EXPECT_TRUE(fd.ok() && WriteAll(fd->get(), content, "file").ok());
    return *std::move(fd);
  }

  std::string ContentOf(int fd) {
    std::string content(static_cast<size_t>(lseek(fd, 0, SEEK_END)), '\0');
    EXPECT_EQ(pread(fd, content.data(), content.size(), 0), static_cast<ssize_t>(content.size()));
    return content;
  }

  // Answers `times` range requests, each with its range of `text_`.
  void ScriptRanges(int times) {
    for (int i = 0; i < times; ++i) {
      server_.Do("generation=7", [this](const HttpRequest& request) { return Range(request); });
    }
  }
  // Scripts two slices with `times` requests each. The last answer for a slice waits until the last
  // request for the other slice has arrived.
  void ScriptBothSlices(const ScriptedTransport::Exchange& exchange, int times = 1) {
    options_.max_slices = 2;
    for (int i = 0; i < 2 * times; ++i) {
      server_.Do("generation=7", [this, exchange, times](const HttpRequest& request) {
        bool last;
        {
          MutexLock lock(asked_mutex_);
          last = ++asked_[Header(request, "Range")] == times;
        }
        if (last) both_asked_.arrive_and_wait();
        return exchange(request);
      });
    }
  }
  HttpResponse Range(const HttpRequest& request) {
    unsigned long first = 0;
    unsigned long last = 0;
    EXPECT_EQ(sscanf(Header(request, "Range").c_str(), "bytes=%lu-%lu", &first, &last), 2);
    const std::string range = absl::StrCat("bytes ", first, "-", last, "/", text_.size());
    return Media(206, text_, text_.substr(first, last - first + 1), 7, {{"Content-Range", range}});
  }

  void ExpectDownload(const std::string& content) {
    GcsStore store(client_, options_);
    const UniqueFd fd = File();
    const auto info = store.Download("gs://b/d/o", fd.get(), transfer_);
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_TRUE(ContentOf(fd.get()) == content);
    EXPECT_EQ(info->size, content.size());
    EXPECT_EQ(info->crc32c, Crc32c(content));
  }

  const std::string text_ = Text(1'000'001);
  GcsStoreOptions options_;
  UploadOptions upload_;
  Activity::Listener on_bytes_;
  const Activity transfer_{cancel_, nullptr, [this](uint64_t bytes) {
                             if (on_bytes_) on_bytes_(bytes);
                           }};
  std::atomic<uint64_t> moved_by_slices_ = 0;
  std::latch both_asked_{2};
  Mutex asked_mutex_;
  std::map<std::string, int> asked_ ABSL_GUARDED_BY(asked_mutex_);  // by range
  TempDirectory directory_;
  int files_ = 0;
};

TEST_F(GcsStoreTest, LargeObjectIsReadInSlices) {
  server_.Answer("?alt=media", Media(200, text_, text_));
  ScriptRanges(4);
  on_bytes_ = [this](uint64_t bytes) { moved_by_slices_ += bytes; };
  ExpectDownload(text_);
  EXPECT_EQ(moved_by_slices_, text_.size());
}

TEST_F(GcsStoreTest, BrokenSliceResumesAlone) {
  server_.Answer("?alt=media", Media(200, text_, text_));
  server_.BreakOff("generation=7", Media(206, text_, "", 7), Broken());
  ScriptRanges(4);
  ExpectDownload(text_);
}

TEST_F(GcsStoreTest, GarbledSliceKeepsOtherSlices) {
  server_.Answer("?alt=media", Media(200, text_, text_));
  server_.Do("generation=7", [this](const HttpRequest& request) {
    HttpRequest other = request;
    other.headers = {};
    other.headers.Add("Range", "bytes=1-99");
    return Range(other);
  });
  server_.Answer("generation=7", Page(200));
  ScriptRanges(4);
  ExpectDownload(text_);
}

TEST_F(GcsStoreTest, ReplacementBetweenSlicesRestartsRead) {
  const std::string newer = Text(500'000);
  server_.Answer("?alt=media", Media(200, text_, text_));
  ScriptBothSlices([](const HttpRequest&) { return MakeResponse(404); });
  server_.Answer("?alt=media", Media(200, newer, newer, 8));
  ExpectDownload(newer);
}

TEST_F(GcsStoreTest, IgnoredRangesReadWholeObject) {
  server_.Answer("?alt=media", Media(200, text_, text_));
  ScriptBothSlices([this](const HttpRequest&) { return Media(200, text_, text_); }, 3);
  server_.Answer("?alt=media", Media(200, text_, text_));
  ExpectDownload(text_);
}

TEST_F(GcsStoreTest, CorruptSliceRestartsRead) {
  server_.Answer("?alt=media", Media(200, text_, text_));
  ScriptBothSlices([this](const HttpRequest& request) {
    HttpResponse response = Range(request);
    response.body[10] = '?';
    return response;
  });
  server_.Answer("?alt=media", Media(200, text_, text_));
  ExpectDownload(text_);
}

TEST_F(GcsStoreTest, SingleConnectionReadsOneStream) {
  options_.connections = 1;
  server_.Answer("?alt=media", Media(200, text_, text_));
  ExpectDownload(text_);
}

TEST_F(GcsStoreTest, GzipContentReadsOneStream) {
  server_.Answer("?alt=media",
                 Media(200, text_, text_, 7,
                       {{"Content-Encoding", "gzip"}, {"X-Goog-Stored-Content-Encoding", "gzip"}}));
  ExpectDownload(text_);
}

TEST_F(GcsStoreTest, ShorterVersionTruncatesFile) {
  server_.BreakOff("", Media(200, Text(300'000), Text(200'000)), Broken());
  server_.Answer("generation=7", MakeResponse(404));
  server_.Answer("", Media(200, "short", "short", 8));
  ExpectDownload("short");
}

TEST_F(GcsStoreTest, ShorterSlicedVersionTruncatesFile) {
  const std::string longer = Text(1'500'000);
  server_.BreakOff(
      "?alt=media",
      Media(200, longer, longer.substr(0, 1'200'000), 6, {{"Content-Encoding", "gzip"}}), Broken());
  server_.Answer("generation=6", MakeResponse(404));
  server_.Answer("?alt=media", Media(200, text_, text_));
  ScriptRanges(4);
  ExpectDownload(text_);
}

TEST_F(GcsStoreTest, NameOrContentDeterminesType) {
  GcsStore store(client_, options_);
  const std::string png = "\x89PNG\r\n\x1A\n";
  const struct {
    const char* url;
    std::string content;
    const char* given;
    const char* type;
  } cases[] = {{"gs://b/a.csv", png, "", "text/csv; charset=utf-8"},
               {"gs://b/plot", png, "", "image/png"},
               {"gs://b/notes", "hello", "", "text/plain; charset=utf-8"},
               {"gs://b/nothing", "", "", "text/plain; charset=utf-8"},
               {"gs://b/large", Text(500'000), "", "text/plain; charset=utf-8"},
               {"gs://b/large", png + Text(500'000), "", "image/png"},
               {"gs://b/log.csv", "hello", "text/plain", "text/plain"}};
  for (const auto& each : cases) {
    SCOPED_TRACE(each.url);
    upload_.content_type = each.given;
    const bool large = each.content.size() > options_.upload_at_once_bytes;
    if (large) {
      server_.Answer("?fields=", Missing());
      server_.Answer("POST", MakeResponse(200, "", {{"Location", "http://gcs/session"}}));
    }
    server_.Answer(large ? "PUT" : "POST", Resource(each.content, 5));
    const auto info = store.Upload(File(each.content).get(), each.url, upload_, transfer_);
    ASSERT_TRUE(info.ok()) << info.status();
    const auto requests = server_.requests();
    const HttpRequest& telling = requests[requests.size() - (large ? 2 : 1)];
    EXPECT_THAT(telling.body, HasSubstr(absl::StrCat("\"contentType\":\"", each.type, "\"")));
    EXPECT_THAT(large ? Header(requests.back(), "Content-Type") : telling.body,
                HasSubstr(each.type));
  }
}

TEST_F(GcsStoreTest, FileWithFalseSizeIsRefused) {
  GcsStore store(client_, options_);
  const UniqueFd fd = OpenFile("/proc/cpuinfo", O_RDONLY).value();
  const auto info = store.Upload(fd.get(), "gs://b/o", {}, transfer_);
  EXPECT_TRUE(absl::IsAborted(info.status())) << info.status();
}

TEST_F(GcsStoreTest, ChangedFileIsNotStored) {
  for (const size_t size : {100'000U, 500'000U}) {
    GcsStore store(client_, options_);
    const UniqueFd fd = File(Text(size));
    bool changed = false;
    on_bytes_ = [&](uint64_t bytes) {
      if (bytes == 0 || std::exchange(changed, true)) return;
      EXPECT_EQ(pwrite(fd.get(), "more", 4, static_cast<off_t>(size)), 4);
    };
    if (size > options_.upload_at_once_bytes) {
      server_.Answer("?fields=", Missing());
      server_.Answer("POST", MakeResponse(200, "", {{"Location", "http://gcs/session"}}));
    }
    server_.Answer("", MakeResponse(200));
    const absl::Status status = store.Upload(fd.get(), "gs://b/o", {}, transfer_).status();
    EXPECT_TRUE(absl::IsAborted(status)) << status;
    EXPECT_THAT(std::string(status.message()), StartsWith("gs://b/o: changed"));
    EXPECT_LT(server_.requests().back().body.size(), size);
  }
}

TEST_F(GcsStoreTest, ErrorsBeginWithUrl) {
  GcsStore store(client_, options_);
  server_.Answer("", MakeResponse(403));
  const absl::Status status = store.ReadBytes("gs://b/d/o", 10, {}).status();
  EXPECT_TRUE(absl::IsPermissionDenied(status));
  EXPECT_THAT(std::string(status.message()), StartsWith("gs://b/d/o: "));
}

TEST_F(GcsStoreTest, OverlongObjectIsRefusedBeforeRead) {
  GcsStore store(client_, options_);
  server_.Answer("", Media(200, text_, text_));
  const absl::Status status = store.ReadBytes("gs://b/d/o", 10, {}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("longer than 10 bytes"));
}

TEST(TransferSlots, LeasesNeverExceedSlots) {
  TransferSlots slots(3);
  auto first = slots.Take({});
  ASSERT_TRUE(first.ok());
  {
    const TransferSlots::Lease more = slots.TakeFree(5);
    EXPECT_EQ(more.count(), 2);
    EXPECT_EQ(slots.TakeFree(1).count(), 0);
  }
  EXPECT_EQ(slots.TakeFree(5).count(), 2);
}

// If the transfers with the slots are stuck, the wait must not hide that from the watchdog.
TEST(TransferSlots, WaitForSlotIsNoSignOfLife) {
  TransferSlots slots(1);
  const auto taken = slots.Take({});
  CancelToken cancel;
  cancel.Cancel(CancelKind::kHandBack, "SIGTERM");
  Heartbeat heartbeat;
  EXPECT_EQ(slots.Take(Activity(cancel, &heartbeat)).status(), absl::CancelledError("SIGTERM"));
  EXPECT_EQ(heartbeat.beats(), 0);
}

TEST(TransferSlots, FreedSlotGoesToWaiter) {
  TransferSlots slots(1);
  std::thread waiting;
  {
    const auto taken = slots.Take({});
    ASSERT_TRUE(taken.ok());
    waiting = std::thread([&] { EXPECT_TRUE(slots.Take({}).ok()); });
  }
  waiting.join();
}

}  // namespace
}  // namespace sparkles
