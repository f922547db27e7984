#include "base/copy.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

class Copy : public testing::Test {
 protected:
  UniqueFd FileWith(const std::string& name, const std::string& content) {
    EXPECT_TRUE(WriteFileAtomically(directory_ / name, content, false).ok());
    return *OpenFile(directory_ / name, O_RDWR);
  }

  TempDirectory directory_;
};

// The sizes are near the limits at which the copy changes its method.
TEST_F(Copy, ContentIsExactAtEverySize) {
  for (const size_t size : {0U, 1U, 65'536U, 65'537U, 1'048'575U, 1'048'576U, 20'000'000U}) {
    std::string content(size, '\0');
    for (size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * i >> 3);
    const UniqueFd from = FileWith("from", content);
    for (const bool with_checksum : {false, true}) {
      const UniqueFd to = FileWith("to", "");
      uint32_t crc = 0;
      uint64_t reported = 0;
      const CancelToken never;
      const Activity counted(never, nullptr, [&](uint64_t bytes) { reported += bytes; });
      const auto copied =
          CopyContent(from.get(), to.get(), with_checksum ? &crc : nullptr, counted);
      ASSERT_TRUE(copied.ok()) << copied.status();
      EXPECT_EQ(*copied, size);
      EXPECT_EQ(reported, size);
      EXPECT_TRUE(*ReadFile(directory_ / "to", size) == content) << size;
      EXPECT_EQ(crc, with_checksum ? Crc32c(content) : 0U) << size;
    }
  }
}

TEST_F(Copy, CancellationStopsCopy) {
  const UniqueFd from = FileWith("from", std::string(40'000'000, 'x'));
  for (const bool with_checksum : {false, true}) {
    const UniqueFd to = FileWith("to", "");
    uint32_t crc = 0;
    int calls = 0;
    CancelToken cancel;
    const Activity stopped(cancel, nullptr, [&](uint64_t) {
      ++calls;
      cancel.Cancel(CancelKind::kHandBack, "enough");
    });
    const auto copied = CopyContent(from.get(), to.get(), with_checksum ? &crc : nullptr, stopped);
    EXPECT_EQ(copied.status(), absl::CancelledError("enough"));
    EXPECT_EQ(calls, 1);
  }
}

TEST_F(Copy, ErrorNamesReadOrWriteSide) {
  const UniqueFd from = FileWith("from", "content");
  const auto full = OpenFile("/dev/full", O_RDWR);
  ASSERT_TRUE(full.ok());
  const absl::Status write_failed = CopyContent(from.get(), full->get(), nullptr, {}).status();
  EXPECT_EQ(write_failed.message(), "write: No space left on device");
  EXPECT_TRUE(IsMachineFault(write_failed));
  const auto write_only = OpenFile(directory_ / "from", O_WRONLY);
  const UniqueFd to = FileWith("to", "");
  const absl::Status read_failed = CopyContent(write_only->get(), to.get(), nullptr, {}).status();
  EXPECT_EQ(read_failed.message(), "read: Bad file descriptor");
}

TEST_F(Copy, TruncatedFileAbortsRead) {
  const UniqueFd file = FileWith("from", "12345");
  std::string seen;
  const absl::Status status = ReadPieces(file.get(), 6, [&](absl::string_view piece) {
    seen.append(piece.data(), piece.size());
    return absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsAborted(status)) << status;
  EXPECT_EQ(seen, "12345");
}

}  // namespace
}  // namespace sparkles
