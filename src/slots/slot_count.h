// Decides how many slots a machine has, for --slots and --slotMemory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sparkles {

// A slot costs a process with about 10 MB. More slots than this are a mistake.
inline constexpr int kMaxSlots = 1024;

// The part of this machine that the worker may use.
struct SlotMachine {
  double processors = 1;     // may be a fraction, in a control group with a quota
  int64_t memory_bytes = 0;  // 0 if unknown
};

// Reads the processors of this process (affinity and quota of its control group), and its memory
// (of the machine, or the limit of the control group if that is lower).
SlotMachine ReadSlotMachine(const std::string& proc_root = "/proc");

// InvalidArgument if `slots` is neither "auto" nor a number from 1 to kMaxSlots.
absl::Status CheckSlots(absl::string_view slots);

// The number of slots. `slots` is a number, or "auto": one for each processor, and not more than
// `memory_bytes` holds with `slot_memory` bytes each. At least 1. Errors are those of CheckSlots;
// FailedPrecondition if "auto" needs the memory of the machine and that is unknown.
absl::StatusOr<int> CountSlots(absl::string_view slots, std::optional<uint64_t> slot_memory,
                               const SlotMachine& machine);

}  // namespace sparkles
