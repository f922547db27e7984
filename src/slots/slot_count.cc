#include "slots/slot_count.h"

#include <sched.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/proc.h"
#include "base/status.h"
#include "base/text.h"
#include "process/control_group.h"
#include "process/machine_stats.h"

namespace sparkles {
namespace {

// Processors that this process may run on. cpu_set_t holds 1024, and the kernel refuses a set that
// is too small for the machine.
int AllowedProcessors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(CPU_COUNT(&set), 1) : 1;
}

}  // namespace

SlotMachine ReadSlotMachine(const std::string& proc_root) {
  const GroupLimits limits = ReadGroupLimits(proc_root);
  SlotMachine machine;
  machine.processors = AllowedProcessors();
  if (limits.processors) machine.processors = std::min(machine.processors, *limits.processors);
  if (const auto memory = ParseMemoryInfo(ReadProcFile(proc_root + "/meminfo"))) {
    machine.memory_bytes = memory->total_bytes;
  }
  if (limits.memory_bytes &&
      (machine.memory_bytes == 0 || *limits.memory_bytes < machine.memory_bytes)) {
    machine.memory_bytes = *limits.memory_bytes;
  }
  return machine;
}

absl::Status CheckSlots(absl::string_view slots) {
  int number = 0;
  if (slots == "auto") return absl::OkStatus();
  if (absl::SimpleAtoi(slots, &number) && number >= 1 && number <= kMaxSlots) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "'", PrintableText(slots), "' is neither a number from 1 to ", kMaxSlots, " nor 'auto'"));
}

absl::StatusOr<int> CountSlots(absl::string_view slots, std::optional<uint64_t> slot_memory,
                               const SlotMachine& machine) {
  RETURN_IF_ERROR(CheckSlots(slots));
  int given = 0;
  if (absl::SimpleAtoi(slots, &given)) return given;
  // A quota of 1.5 processors has room for one command that is always busy.
  int64_t number = std::max(static_cast<int64_t>(machine.processors), int64_t{1});
  if (slot_memory.value_or(0) > 0) {
    if (machine.memory_bytes == 0) {
      return absl::FailedPreconditionError(
          "'auto' needs the memory of this machine, and /proc/meminfo is not readable; give a "
          "number");
    }
    const uint64_t fitting = static_cast<uint64_t>(machine.memory_bytes) / *slot_memory;
    number = std::min(number, static_cast<int64_t>(std::min<uint64_t>(fitting, kMaxSlots)));
  }
  return static_cast<int>(std::clamp<int64_t>(number, 1, kMaxSlots));
}

}  // namespace sparkles
