#include "slots/slot_channel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace sparkles {
namespace {

class SlotChannelTest : public testing::Test {
 protected:
  void SetUp() override {
    auto ends = SlotChannel::MakePair();
    ASSERT_TRUE(ends.ok()) << ends.status();
    raw_ = ends->first.get();
    parent_.emplace(std::move(ends->first));
    slot_.emplace(std::move(ends->second));
  }

  int raw_ = -1;
  std::optional<SlotChannel> parent_;
  std::optional<SlotChannel> slot_;
};

TEST_F(SlotChannelTest, MessagesArriveInOrder) {
  ASSERT_TRUE(parent_->Send({SlotMessage::Kind::kStop, "a\nreason"}).ok());
  ASSERT_TRUE(parent_->Send({SlotMessage::Kind::kHurry}).ok());
  ASSERT_TRUE(slot_->Send({SlotMessage::Kind::kLogStarts, "task", "/path"}).ok());
  auto message = slot_->Receive();
  ASSERT_TRUE(message.ok() && *message);
  EXPECT_EQ((*message)->kind, SlotMessage::Kind::kStop);
  EXPECT_EQ((*message)->first, "a\nreason");
  message = slot_->Receive();
  ASSERT_TRUE(message.ok() && *message);
  EXPECT_EQ((*message)->kind, SlotMessage::Kind::kHurry);
  message = parent_->Receive();
  ASSERT_TRUE(message.ok() && *message);
  EXPECT_EQ((*message)->first, "task");
  EXPECT_EQ((*message)->second, "/path");
}

TEST_F(SlotChannelTest, NoMessageIsNoError) {
  const auto message = slot_->Receive();
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_FALSE(*message);
}

TEST_F(SlotChannelTest, ClosedEndIsUnavailable) {
  ASSERT_TRUE(parent_->Send({SlotMessage::Kind::kDrain}).ok());
  parent_.reset();
  EXPECT_TRUE(slot_->Receive().ok());  // the last message
  EXPECT_TRUE(absl::IsUnavailable(slot_->Receive().status()));
  EXPECT_FALSE(slot_->Send({SlotMessage::Kind::kDropLogs}).ok());
}

TEST_F(SlotChannelTest, LastMessageOfDeadProcessArrives) {
  ASSERT_TRUE(parent_->Send({SlotMessage::Kind::kDrain}).ok());  // the slot does not read this
  ASSERT_TRUE(slot_->Send({SlotMessage::Kind::kLogEnds, "task"}).ok());
  slot_.reset();
  const auto message = parent_->Receive();
  ASSERT_TRUE(message.ok() && *message) << message.status();
  EXPECT_EQ((*message)->first, "task");
  EXPECT_TRUE(absl::IsUnavailable(parent_->Receive().status()));
}

TEST_F(SlotChannelTest, MalformedMessageIsSkipped) {
  ASSERT_EQ(send(raw_, "S", 1, 0), 1);      // without the NUL
  ASSERT_EQ(send(raw_, "?a\0b", 4, 0), 4);  // of an unknown kind
  ASSERT_EQ(send(raw_, "\0", 1, 0), 1);
  for (int i = 0; i < 3; ++i) {
    const auto message = slot_->Receive();
    ASSERT_TRUE(message.ok()) << message.status();
    EXPECT_FALSE(*message);
  }
}

TEST_F(SlotChannelTest, SendDoesNotWaitForReader) {
  absl::Status status;
  for (int i = 0; i < 100'000 && status.ok(); ++i) {
    status = slot_->Send({SlotMessage::Kind::kLogEnds, std::string(1000, 'x')});
  }
  EXPECT_FALSE(status.ok());
}

}  // namespace
}  // namespace sparkles
