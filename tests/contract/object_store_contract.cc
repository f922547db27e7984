#include "tests/contract/object_store_contract.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "base/copy.h"
#include "base/crc32c.h"
#include "base/file.h"

namespace sparkles {
namespace {

using testing::StartsWith;

std::string Pattern(size_t size) {
  std::string content(size, '\0');
  for (size_t i = 0; i < size; ++i) content[i] = static_cast<char>((i * 7 + i / 251) & 0xFF);
  return content;
}

}  // namespace

UniqueFd ObjectStoreContract::FileWith(const std::string& content) {
  auto fd = OpenFile(directory_ / std::to_string(files_++), O_RDWR | O_CREAT | O_EXCL);
  EXPECT_TRUE(fd.ok()) << fd.status();
  EXPECT_TRUE(WriteAll(fd->get(), content, "test file").ok());
  return *std::move(fd);
}

std::string ObjectStoreContract::ContentOf(int fd) {
  std::string content;
  const off_t size = lseek(fd, 0, SEEK_END);
  EXPECT_TRUE(ReadPieces(fd, static_cast<uint64_t>(size), [&](absl::string_view piece) {
                content.append(piece.data(), piece.size());
                return absl::OkStatus();
              }).ok());
  return content;
}

std::string ObjectStoreContract::Downloaded(const std::string& url) {
  const UniqueFd fd = FileWith("");
  const auto info = store().Download(url, fd.get(), {});
  EXPECT_TRUE(info.ok()) << info.status();
  return info.ok() ? ContentOf(fd.get()) : "(error)";
}

TEST_P(ObjectStoreContract, CheckWritableCreatesNoObject) {
  EXPECT_TRUE(store().CheckWritable(Url("asked"), /*replace=*/true, {}).ok());
  EXPECT_EQ(store().ReadBytes(Url("asked"), 10, {}).value(), std::nullopt);
  ASSERT_TRUE(store().UploadBytes("text", Url("asked"), {}, {}).ok());
  EXPECT_TRUE(store().CheckWritable(Url("asked"), /*replace=*/true, {}).ok());
  EXPECT_EQ(Downloaded(Url("asked")), "text");
}

TEST_P(ObjectStoreContract, DownloadReturnsUploadedContent) {
  for (const size_t size : {0U, 1U, 1000U, 65'535U, 65'536U, 65'537U, 3'000'001U}) {
    const std::string content = Pattern(size);
    const UniqueFd source = FileWith(content);
    const auto uploaded = store().Upload(source.get(), Url("a"), {}, {});
    ASSERT_TRUE(uploaded.ok()) << uploaded.status();
    EXPECT_EQ(uploaded->size, size);
    EXPECT_EQ(uploaded->crc32c, Crc32c(content)) << size;
    const UniqueFd target = FileWith("");
    const auto downloaded = store().Download(Url("a"), target.get(), {});
    ASSERT_TRUE(downloaded.ok()) << downloaded.status();
    EXPECT_EQ(downloaded->size, size);
    EXPECT_EQ(downloaded->crc32c, Crc32c(content)) << size;
    EXPECT_EQ(downloaded->generation, uploaded->generation);
    EXPECT_TRUE(ContentOf(target.get()) == content) << size;
  }
}

TEST_P(ObjectStoreContract, RemoveNeedsTheGeneration) {
  const auto first = store().UploadBytes("1", Url("dir/a"), {}, {});
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = store().UploadBytes("2", Url("dir/a"), {}, {});
  ASSERT_TRUE(second.ok()) << second.status();
  if (first->generation != second->generation) {
    EXPECT_TRUE(store().Remove(Url("dir/a"), first->generation, {}).ok());
    EXPECT_EQ(Downloaded(Url("dir/a")), "2");
  }
  EXPECT_TRUE(store().Remove(Url("dir/a"), second->generation, {}).ok());
  EXPECT_EQ(store().ReadBytes(Url("dir/a"), 10, {}).value(), std::nullopt);
  // Once more, and where nothing ever was.
  EXPECT_TRUE(store().Remove(Url("dir/a"), second->generation, {}).ok());
  EXPECT_TRUE(store().Remove(Url("none/a"), 1, {}).ok());
}

TEST_P(ObjectStoreContract, ListHasObjectsOfOneDirectory) {
  EXPECT_TRUE(store().List(Url("dir"), 10, {}).value().empty());
  for (const char* name : {"dir/a", "dir/b", "dir/c", "dir/sub/d", "dir-2/e", "f"}) {
    ASSERT_TRUE(store().UploadBytes("x", Url(name), {}, {}).ok());
  }
  const auto listed = store().List(Url("dir"), 10, {});
  ASSERT_TRUE(listed.ok()) << listed.status();
  std::vector<std::string> names;
  for (const ListedObject& object : *listed) {
    names.push_back(object.name);
    EXPECT_TRUE(store().Remove(Url("dir/" + object.name), object.generation, {}).ok());
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("a", "b", "c"));
  EXPECT_TRUE(store().List(Url("dir"), 10, {}).value().empty());
  EXPECT_EQ(Downloaded(Url("dir/sub/d")), "x");
}

TEST_P(ObjectStoreContract, ListEndsAtItsLimit) {
  for (const char* name : {"dir/a", "dir/b", "dir/c"}) {
    ASSERT_TRUE(store().UploadBytes("x", Url(name), {}, {}).ok());
  }
  EXPECT_EQ(store().List(Url("dir"), 2, {}).value().size(), 2);
}

TEST_P(ObjectStoreContract, KnownGenerationIsOnlyAGuess) {
  const auto first = store().UploadBytes("1", Url("a"), {}, {});
  ASSERT_TRUE(first.ok()) << first.status();
  int asked = 0;
  UploadOptions guess;
  guess.known_generation = first->generation;
  guess.before_replacing = [&] {
    ++asked;
    return absl::OkStatus();
  };
  ASSERT_TRUE(store().UploadBytes("2", Url("a"), guess, {}).ok());
  EXPECT_EQ(asked, 0);
  // The same guess is wrong now.
  ASSERT_TRUE(store().UploadBytes("3", Url("a"), guess, {}).ok());
  EXPECT_EQ(Downloaded(Url("a")), "3");
  EXPECT_EQ(asked, first->generation == 0 ? 0 : 1);
}

TEST_P(ObjectStoreContract, UploadReplacesWholeObject) {
  ASSERT_TRUE(store().UploadBytes(Pattern(100'000), Url("a"), {}, {}).ok());
  const UniqueFd source = FileWith("short");
  ASSERT_TRUE(store().Upload(source.get(), Url("a"), {}, {}).ok());
  EXPECT_EQ(Downloaded(Url("a")), "short");
}

TEST_P(ObjectStoreContract, UploadIgnoresFilePosition) {
  const UniqueFd source = FileWith("content");
  ASSERT_EQ(lseek(source.get(), 4, SEEK_SET), 4);
  ASSERT_TRUE(store().Upload(source.get(), Url("a"), {}, {}).ok());
  EXPECT_EQ(Downloaded(Url("a")), "content");
}

TEST_P(ObjectStoreContract, UnusualNamesStayDistinct) {
  const std::vector<std::string> names = {"d/e/f",    "d/e/g", "sp ace", "per%20cent",
                                          "\xC3\xA4", "-",     "h#a?s",  "..."};
  for (const std::string& name : names) {
    ASSERT_TRUE(store().UploadBytes(name, Url(name), {}, {}).ok()) << name;
  }
  for (const std::string& name : names) EXPECT_EQ(Downloaded(Url(name)), name);
}

TEST_P(ObjectStoreContract, AbsentObjectErrorNamesUrl) {
  const UniqueFd target = FileWith("");
  for (const std::string name : {"absent", "no/such/folder"}) {
    const absl::Status status = store().Download(Url(name), target.get(), {}).status();
    EXPECT_TRUE(absl::IsNotFound(status)) << status;
    EXPECT_THAT(std::string(status.message()), StartsWith(Url(name) + ": "));
  }
}

TEST_P(ObjectStoreContract, ReadBytesDistinguishesAbsentAndEmpty) {
  ASSERT_TRUE(store().UploadBytes("", Url("empty"), {}, {}).ok());
  ASSERT_TRUE(store().UploadBytes("12345", Url("five"), {}, {}).ok());
  const auto absent = store().ReadBytes(Url("absent"), 5, {});
  ASSERT_TRUE(absent.ok()) << absent.status();
  EXPECT_EQ(*absent, std::nullopt);
  EXPECT_EQ(store().ReadBytes(Url("empty"), 5, {})->value(), "");
  EXPECT_EQ(store().ReadBytes(Url("five"), 5, {})->value(), "12345");
  const absl::Status too_long = store().ReadBytes(Url("five"), 4, {}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(too_long)) << too_long;
  EXPECT_THAT(std::string(too_long.message()), StartsWith(Url("five") + ": "));
}

TEST_P(ObjectStoreContract, UploadBytesReportsSizeAndChecksum) {
  const auto info = store().UploadBytes("123456789", Url("a"), {}, {});
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->size, 9U);
  EXPECT_EQ(info->crc32c, 0xE3069283U);
}

TEST_P(ObjectStoreContract, EveryMovedByteIsReported) {
  const UniqueFd source = FileWith(Pattern(3'000'001));
  const UniqueFd target = FileWith("");
  std::atomic<uint64_t> moved = 0;  // several threads transfer
  const CancelToken never;
  const Activity activity(never, nullptr, [&](uint64_t bytes) { moved += bytes; });
  ASSERT_TRUE(store().Upload(source.get(), Url("a"), {}, activity).ok());
  EXPECT_EQ(moved, 3'000'001U);
  moved = 0;
  ASSERT_TRUE(store().Download(Url("a"), target.get(), activity).ok());
  EXPECT_EQ(moved, 3'000'001U);
}

TEST_P(ObjectStoreContract, CancelledUploadKeepsOldObject) {
  ASSERT_TRUE(store().UploadBytes("old", Url("a"), {}, {}).ok());
  for (const size_t size : {3U, 3'000'000U}) {
    CancelToken cancel;
    // The large upload is cancelled after it has begun.
    const Activity activity(cancel, nullptr, [&](uint64_t bytes) {
      if (bytes > 0) cancel.Cancel(CancelKind::kKilled, "job killed");
    });
    if (size == 3) cancel.Cancel(CancelKind::kKilled, "job killed");
    const UniqueFd source = FileWith(Pattern(size));
    const absl::Status status = store().Upload(source.get(), Url("a"), {}, activity).status();
    EXPECT_TRUE(absl::IsCancelled(status)) << status;
    EXPECT_THAT(std::string(status.message()), StartsWith(Url("a") + ": "));
    EXPECT_EQ(Downloaded(Url("a")), "old");
  }
}

TEST_P(ObjectStoreContract, CancelledDownloadReturnsCancelled) {
  ASSERT_TRUE(store().UploadBytes(Pattern(200'000), Url("a"), {}, {}).ok());
  CancelToken cancel;
  const Activity activity(cancel, nullptr,
                          [&](uint64_t) { cancel.Cancel(CancelKind::kHandBack, "preempted"); });
  const UniqueFd target = FileWith("");
  const absl::Status status = store().Download(Url("a"), target.get(), activity).status();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
}

TEST_P(ObjectStoreContract, AppendMakesObjectLonger) {
  const std::string content = Pattern(400'000);
  const UniqueFd file = FileWith(content);
  if (!appends()) {
    const absl::Status status = store().Append(file.get(), 3, Url("log"), {}, {}, {}).status();
    EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
    return;
  }
  ObjectInfo object;
  for (const size_t size : {3U, 1000U, 150'000U, 400'000U}) {
    const auto appended = store().Append(file.get(), size, Url("log"), object, {}, {});
    ASSERT_TRUE(appended.ok()) << appended.status();
    EXPECT_EQ(appended->size, size);
    EXPECT_EQ(appended->crc32c, Crc32c(absl::string_view(content).substr(0, size))) << size;
    EXPECT_NE(appended->generation, object.generation);
    EXPECT_TRUE(Downloaded(Url("log")) == content.substr(0, size)) << size;
    EXPECT_EQ(store().ReadBytes(Url("log") + kPartSuffix, 10, {}).value(), std::nullopt);
    object = *appended;
  }
  // Empty means: nothing is known of the object.
  ASSERT_TRUE(store().Append(file.get(), 5, Url("log"), {}, {}, {}).ok());
  EXPECT_EQ(Downloaded(Url("log")), content.substr(0, 5));
}

TEST_P(ObjectStoreContract, AppendRepeatedAfterLossSucceeds) {
  if (!appends()) GTEST_SKIP() << "this store does not append";
  const UniqueFd file = FileWith("one two three");
  const auto first = store().Append(file.get(), 3, Url("log"), {}, {}, {});
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = store().Append(file.get(), 7, Url("log"), *first, {}, {});
  ASSERT_TRUE(second.ok()) << second.status();
  const auto again = store().Append(file.get(), 7, Url("log"), *first, {}, {});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->generation, second->generation);
  EXPECT_EQ(Downloaded(Url("log")), "one two");
}

TEST_P(ObjectStoreContract, AppendKeepsReplacedObject) {
  if (!appends()) GTEST_SKIP() << "this store does not append";
  const UniqueFd file = FileWith("one two three");
  const auto first = store().Append(file.get(), 3, Url("log"), {}, {}, {});
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(store().UploadBytes("other", Url("log"), {}, {}).ok());
  const absl::Status status = store().Append(file.get(), 7, Url("log"), *first, {}, {}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), StartsWith(Url("log") + ": "));
  EXPECT_EQ(Downloaded(Url("log")), "other");
}

TEST_P(ObjectStoreContract, OnlyRegularFilesAreUploaded) {
  TempDirectory directory;
  const auto source = OpenFile(directory.path(), O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(source.ok());
  const absl::Status status = store().Upload(source->get(), Url("a"), {}, {}).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), StartsWith(Url("a") + ": "));
  EXPECT_EQ(*store().ReadBytes(Url("a"), 10, {}), std::nullopt);
}

TEST_P(ObjectStoreContract, InvalidUrlsAreRefused) {
  const UniqueFd file = FileWith("x");
  for (const std::string& url : {std::string(""), std::string("/a/b"), Url("folder/")}) {
    EXPECT_TRUE(absl::IsInvalidArgument(store().Upload(file.get(), url, {}, {}).status())) << url;
    EXPECT_TRUE(absl::IsInvalidArgument(store().Download(url, file.get(), {}).status())) << url;
    EXPECT_TRUE(absl::IsInvalidArgument(store().UploadBytes("x", url, {}, {}).status())) << url;
    EXPECT_TRUE(absl::IsInvalidArgument(store().ReadBytes(url, 10, {}).status())) << url;
  }
}

TEST_P(ObjectStoreContract, ConcurrentUploadsStayIntact) {
  const std::string zeros(100'000, '0');
  const std::string ones(100'000, '1');
  const UniqueFd sources[] = {FileWith(zeros), FileWith(ones)};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      EXPECT_TRUE(store().Upload(sources[i % 2].get(), Url("shared"), {}, {}).ok());
      const std::string own = Url("new/folder/of/all/" + std::to_string(i));
      EXPECT_TRUE(store().UploadBytes(std::to_string(i), own, {}, {}).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string winner = Downloaded(Url("shared"));
  EXPECT_TRUE(winner == zeros || winner == ones);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(Downloaded(Url("new/folder/of/all/" + std::to_string(i))), std::to_string(i));
  }
  EXPECT_TRUE(store().Flush().ok());
}

}  // namespace sparkles
