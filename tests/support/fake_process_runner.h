// A ProcessRunner that runs nothing: it does what the test says and remembers what it was asked.
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

// Refuses what no runner can run, and a folder or argv[0] that is not there, before any action.
class FakeProcessRunner : public ProcessRunner {
 public:
  // May write to command.directory and command.output_fd as a real command would.
  using Action = std::function<absl::StatusOr<CommandExit>(const Command&, const CancelToken&)>;

  // What the next command that has no action yet does. One without any exits with 0.
  void Next(Action action) { actions_.push_back(std::move(action)); }
  void NextReturns(absl::StatusOr<CommandExit> result);
  // The next command runs until it is cancelled, or beyond its time limit if it has one, and dies
  // of TERM.
  void NextWaitsForCancel();

  absl::StatusOr<CommandExit> Run(const Command& command, const CancelToken& cancel) override;

  // All that were run, refused ones included, oldest first. Their output_fd may be closed by now.
  const std::vector<Command>& commands() const { return commands_; }
  // Actions that no command has taken; a test that scripts exactly expects 0 at its end.
  size_t actions_left() const { return actions_.size(); }

 private:
  std::deque<Action> actions_;
  std::vector<Command> commands_;
};

}  // namespace sparkles
