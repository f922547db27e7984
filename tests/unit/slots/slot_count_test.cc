#include "slots/slot_count.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

constexpr int64_t kGib = int64_t{1} << 30;

TEST(SlotCountTest, NumberIsTakenAsItIs) {
  EXPECT_EQ(*CountSlots("7", std::nullopt, {.processors = 2}), 7);
  EXPECT_EQ(*CountSlots("7", 100 * kGib, {.processors = 2, .memory_bytes = kGib}), 7);
}

TEST(SlotCountTest, OtherTextIsRefused) {
  for (const char* text : {"", "0", "-1", "1025", "1.5", "Auto", "99999999999999999999"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CountSlots(text, std::nullopt, {}).status())) << text;
  }
}

TEST(SlotCountTest, AutoIsOneForEachProcessor) {
  EXPECT_EQ(*CountSlots("auto", std::nullopt, {.processors = 8}), 8);
  EXPECT_EQ(*CountSlots("auto", std::nullopt, {.processors = 2.9}), 2);
  EXPECT_EQ(*CountSlots("auto", std::nullopt, {.processors = 0.5}), 1);
}

TEST(SlotCountTest, AutoIsLimitedByMemory) {
  const SlotMachine machine = {.processors = 8, .memory_bytes = 16 * kGib};
  EXPECT_EQ(*CountSlots("auto", 4 * kGib, machine), 4);
  EXPECT_EQ(*CountSlots("auto", kGib, machine), 8);
  EXPECT_EQ(*CountSlots("auto", 17 * kGib, machine), 1);
  EXPECT_EQ(*CountSlots("auto", 0, machine), 8);
}

TEST(SlotCountTest, AutoNeedsKnownMemory) {
  EXPECT_TRUE(absl::IsFailedPrecondition(CountSlots("auto", kGib, {.processors = 8}).status()));
  EXPECT_EQ(*CountSlots("auto", std::nullopt, {.processors = 8}), 8);
}

TEST(SlotCountTest, MachineIsReadFromProc) {
  const TempDirectory directory;
  ASSERT_TRUE(WriteFileAtomically(directory.path() + "/meminfo",
                                  "MemTotal: 2048 kB\nMemAvailable: 1024 kB\n", false)
                  .ok());
  const SlotMachine machine = ReadSlotMachine(directory.path());
  EXPECT_EQ(machine.memory_bytes, 2 << 20);
  EXPECT_GE(machine.processors, 1);
}

}  // namespace
}  // namespace sparkles
