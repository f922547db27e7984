// A ProcessRunner that runs a test's action instead of a process, and records all commands.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "process/process_runner.h"

namespace sparkles {

// The exit of a command that took a millisecond and some memory.
CommandExit ExitedWith(int code);
CommandExit DiedOf(int signal);

// Refuses, before any action, a command that no runner can run, a missing directory and a missing
// argv[0].
class FakeProcessRunner : public ProcessRunner {
 public:
  // May write to command.directory and command.output_fd as a real command would.
  using Action = std::function<absl::StatusOr<CommandExit>(const Command&, const Activity&)>;

  // Sets the action of the next command that has none. A command without an action exits with 0.
  void Next(Action action) { actions_.push_back(std::move(action)); }
  void NextReturns(absl::StatusOr<CommandExit> result);
  // The next command makes no progress. It runs until it is cancelled or has reached a limit, and
  // TERM ends it.
  void NextWaitsForCancel();

  absl::StatusOr<CommandExit> Run(const Command& command, const Activity& activity) override;

  // All commands so far, oldest first, including refused ones. Their output_fd may be closed.
  const std::vector<Command>& commands() const { return commands_; }
  // The number of unused actions. A test that scripts every command expects 0 at its end.
  size_t actions_left() const { return actions_.size(); }

 private:
  std::deque<Action> actions_;
  std::vector<Command> commands_;
};

}  // namespace sparkles
