// Starts the process of a slot: this program again, with the parent's arguments.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/fd.h"

namespace sparkles {

// The place of a slot among all slots.
struct SlotPlace {
  int number = 0;  // from 0
  int count = 1;
};

// Descriptors of a new slot, borrowed during StartSlot.
struct SlotDescriptors {
  int channel = -1;   // the slot's end of a SlotChannel
  int board = -1;     // SlotBoard::fd
  int log = -1;       // the slot's stderr; -1: that of the parent
  rlimit limit = {};  // of open files, for the slot
};

// Raises this process's limit of open files for so many slots. Returns the limit from before, which
// is for the slots. An error if the machine cannot run so many slots.
absl::StatusOr<rlimit> PrepareForSlots(int slots);

// Starts a slot in a session of its own, so that the signals of a terminal do not reach the slot.
// The kernel kills the slot when the calling thread ends, so call this on the main thread.
// `arguments` are those of the parent (argv). An error if no process can be started.
absl::StatusOr<pid_t> StartSlot(const SlotPlace& place, const std::vector<std::string>& arguments,
                                const SlotDescriptors& descriptors);

// What StartSlot has passed to this process. Owns the descriptors.
struct SlotOrigin {
  SlotPlace place;
  UniqueFd channel;
  UniqueFd board;
};

// For main. Removes the arguments that only StartSlot adds. nullopt in a process that StartSlot has
// not started. Call once.
std::optional<SlotOrigin> TakeSlotOrigin(int& argc, char** argv);

}  // namespace sparkles
