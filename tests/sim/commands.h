// The tasks of a simulated cluster: their specs, their inputs, and what their commands do.
#pragma once

#include <map>
#include <string>

#include "base/json.h"
#include "process/process_runner.h"
#include "tests/sim/world.h"

namespace sparkles {

// The spec of a task: an input by its hash, another by its name, and everything uploaded.
Json SpecOf(const std::string& task_id);
// The input that all tasks share, and its place in the store.
std::string InputText();
std::string InputKey();

// What a machine says that can start no process.
inline constexpr char kNoProcess[] = "fork: out of processes";

// Commands take their time and write two files that tell who wrote them and when.
class SimProcessRunner : public ProcessRunner {
 public:
  // Borrows both. For one life of the machine's worker.
  SimProcessRunner(World& world, Machine& machine) : world_(world), machine_(machine) {}

  absl::StatusOr<CommandExit> Run(const Command& command, const CancelToken& cancel) override;

 private:
  Judge::Run Work(const Command& command, const std::string& task);

  World& world_;
  Machine& machine_;
  int runs_ = 0;
};

}  // namespace sparkles
