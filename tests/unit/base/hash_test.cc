#include "base/hash.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "base/file.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

constexpr char kSha256OfAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char kMd5OfAbc[] = "900150983cd24fb0d6963f7d28e17f72";

TEST(HexHashTest, MatchesPublishedExamples) {  // FIPS 180-2, RFC 1321
  EXPECT_EQ(HexHash(HashKind::kSha256, "abc"), kSha256OfAbc);
  EXPECT_EQ(HexHash(HashKind::kSha256, ""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HexHash(HashKind::kMd5, "abc"), kMd5OfAbc);
  EXPECT_EQ(HexHash(HashKind::kMd5, ""), "d41d8cd98f00b204e9800998ecf8427e");
}

TEST(HasherTest, PiecesHashLikeWhole) {
  Hasher hasher(HashKind::kSha256);
  hasher.Update("a");
  hasher.Update("");
  hasher.Update("bc");
  EXPECT_EQ(hasher.HexDigest(), kSha256OfAbc);
}

TEST(HashFileTest, FilePositionIsIgnored) {
  const TempDirectory directory;
  const std::string content(700'001, 'x');  // more than two buffers
  ASSERT_TRUE(WriteFileAtomically(directory / "f", content, false).ok());
  const auto fd = OpenFile(directory / "f", O_RDONLY);
  ASSERT_EQ(lseek(fd->get(), 5, SEEK_SET), 5);
  EXPECT_EQ(HashFile(HashKind::kMd5, fd->get(), "f").value(), HexHash(HashKind::kMd5, content));
  EXPECT_EQ(lseek(fd->get(), 0, SEEK_CUR), 5);
}

TEST(HashFileTest, EachPieceIsSignOfLife) {
  const TempDirectory directory;
  ASSERT_TRUE(WriteFileAtomically(directory / "f", std::string(700'001, 'x'), false).ok());
  const auto fd = OpenFile(directory / "f", O_RDONLY);
  const CancelToken never;
  Heartbeat heartbeat;
  ASSERT_TRUE(HashFile(HashKind::kMd5, fd->get(), "f", Activity(never, &heartbeat)).ok());
  EXPECT_EQ(heartbeat.beats(), 3);
}

TEST(HashFileTest, ErrorsNameTheFile) {
  const TempDirectory directory;
  const auto fd = OpenFile(directory / "f", O_CREAT | O_WRONLY);
  const auto hash = HashFile(HashKind::kSha256, fd->get(), "input.csv");
  EXPECT_EQ(hash.status().message(), "input.csv: Bad file descriptor");
}

}  // namespace
}  // namespace sparkles
