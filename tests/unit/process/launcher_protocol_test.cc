#include "process/launcher_protocol.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

namespace sparkles {
namespace {

class FrameTest : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    left_.reset(ends[0]);
    right_.reset(ends[1]);
  }
  UniqueFd left_;
  UniqueFd right_;
};

TEST_F(FrameTest, KindAndPayloadArrive) {
  ASSERT_TRUE(SendFrame(left_.get(), FrameKind::kEnded, "payload").ok());
  ASSERT_TRUE(SendFrame(left_.get(), FrameKind::kKill, "").ok());
  const absl::StatusOr<Frame> first = ReceiveFrame(right_.get());
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->kind, FrameKind::kEnded);
  EXPECT_EQ(first->payload, "payload");
  EXPECT_FALSE(first->fd.valid());
  const absl::StatusOr<Frame> second = ReceiveFrame(right_.get());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->kind, FrameKind::kKill);
  EXPECT_EQ(second->payload, "");
}

TEST_F(FrameTest, DescriptorArrivesWithItsOwnFrame) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  ASSERT_TRUE(SendFrame(left_.get(), FrameKind::kTerminate, "").ok());
  ASSERT_TRUE(SendFrame(left_.get(), FrameKind::kHold, "x", write_end.get()).ok());
  const absl::StatusOr<Frame> without = ReceiveFrame(right_.get());
  ASSERT_TRUE(without.ok());
  EXPECT_FALSE(without->fd.valid());
  const absl::StatusOr<Frame> with = ReceiveFrame(right_.get());
  ASSERT_TRUE(with.ok());
  ASSERT_TRUE(with->fd.valid());
  EXPECT_EQ(fcntl(with->fd.get(), F_GETFD), FD_CLOEXEC);
  ASSERT_EQ(write(with->fd.get(), "y", 1), 1);
  char byte = 0;
  EXPECT_EQ(read(read_end.get(), &byte, 1), 1);
}

TEST_F(FrameTest, LargeFrameArrivesWithDescriptor) {
  std::string big(3 << 20, 'a');
  big[big.size() / 2] = 'b';
  std::thread sender([&] { EXPECT_TRUE(SendFrame(left_.get(), FrameKind::kRun, big, 1).ok()); });
  const absl::StatusOr<Frame> frame = ReceiveFrame(right_.get());
  sender.join();
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_TRUE(frame->payload == big);
  EXPECT_TRUE(frame->fd.valid());
}

TEST_F(FrameTest, ClosedSocketFailsBothSides) {
  left_.reset();
  EXPECT_EQ(ReceiveFrame(right_.get()).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(SendFrame(right_.get(), FrameKind::kKill, "").ok());  // and no SIGPIPE
}

TEST_F(FrameTest, TruncatedFrameIsError) {
  ASSERT_EQ(write(left_.get(), "\0\0", 2), 2);
  left_.reset();
  EXPECT_FALSE(ReceiveFrame(right_.get()).ok());
}

TEST(EncodeCommand, CommandSurvivesRoundTrip) {
  Command command;
  command.argv = {"/bin/sh", "", std::string(200'000, 'x')};
  command.environment = {"A=1", "B="};
  command.folder = "/some where";
  command.core_dumps = true;
  command.sweep_limit = absl::Seconds(7);
  std::string payload = EncodeCommand(command);
  CommandImage image;
  ASSERT_TRUE(DecodeCommand(payload, image));
  EXPECT_STREQ(image.folder, "/some where");
  EXPECT_TRUE(image.core_dumps);
  EXPECT_EQ(image.sweep_limit, absl::Seconds(7));
  ASSERT_EQ(image.argv.size(), 4u);
  EXPECT_STREQ(image.argv[0], "/bin/sh");
  EXPECT_STREQ(image.argv[1], "");
  EXPECT_EQ(image.argv[2], command.argv[2]);
  EXPECT_EQ(image.argv[3], nullptr);
  ASSERT_EQ(image.environment.size(), 3u);
  EXPECT_STREQ(image.environment[1], "B=");
  EXPECT_EQ(image.environment[2], nullptr);
}

TEST(DecodeCommand, CutOrPaddedPayloadIsRefused) {
  Command command;
  command.argv = {"/bin/true"};
  command.environment = {"A=1"};
  command.folder = "/";
  const std::string whole = EncodeCommand(command);
  for (size_t size = 0; size < whole.size(); ++size) {
    std::string cut = whole.substr(0, size);
    CommandImage image;
    EXPECT_FALSE(DecodeCommand(cut, image)) << size;
  }
  std::string padded = whole + std::string(1, '\0');
  CommandImage image;
  EXPECT_FALSE(DecodeCommand(padded, image));
}

TEST(CopyBytes, WrongSizeIsRefused) {
  const StartFailure sent{StartFailure::FailedCall::kExec, 2};
  StartFailure received;
  EXPECT_TRUE(CopyBytes(BytesOf(sent), received));
  EXPECT_EQ(received.call, StartFailure::FailedCall::kExec);
  EXPECT_EQ(received.error, 2);
  EXPECT_FALSE(CopyBytes("short", received));
}

}  // namespace
}  // namespace sparkles
