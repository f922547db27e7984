// The tasks of a simulated cluster: specs, inputs and commands.
#pragma once

#include <map>
#include <string>

#include "base/json.h"
#include "process/process_runner.h"
#include "tests/sim/world.h"

namespace sparkles {

// The spec of a task with an input by hash and an input by name, which uploads everything.
Json SpecOf(const std::string& task_id);
// The content of the input that all tasks share.
std::string InputText();
std::string InputKey();

// The error of a machine that cannot start processes.
inline constexpr char kNoProcess[] = "fork: out of processes";

// Runs commands that take time and write two files with their author and time.
class SimProcessRunner : public ProcessRunner {
 public:
  // Borrows both. For one life of the machine's worker.
  SimProcessRunner(World& world, Machine& machine) : world_(world), machine_(machine) {}

  absl::StatusOr<CommandExit> Run(const Command& command, const Activity& activity) override;

 private:
  // Works step by step, and writes down how much is done. False if `cancel` ended it.
  bool Count(const Command& command, const std::string& task, absl::Duration takes,
             const CancelToken& cancel);
  Judge::Run Work(const Command& command, const std::string& task);

  World& world_;
  Machine& machine_;
  int runs_ = 0;
};

}  // namespace sparkles
