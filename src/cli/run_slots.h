// The parent of several slots (--slots): shares health checks, Monitor and stops among them.
#pragma once

#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "cli/commands.h"
#include "queue/task_entry.h"
#include "slots/slot_board.h"

namespace sparkles {

// Runs the slots of `board` until all have ended. `tasks` are those of the tasks file, if there is
// one. Returns the exit code. Needs BlockSignals. Call this on the main thread, in a process
// without other children, after PrepareToConsume. Throws std::system_error if the system refuses a
// thread that every worker needs.
int RunSlots(const ConsumeOptions& options, SlotBoard& board, std::vector<FileTask> tasks,
             Clock& clock, const Log& log);

}  // namespace sparkles
