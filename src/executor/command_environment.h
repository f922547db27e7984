// The environment of a task's scripts and command.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "task/task.h"

namespace sparkles {

// Which of the worker's variables a command does not get.
struct EnvironmentRules {
  std::vector<std::string> withhold;  // shell patterns of names; of "NAME=VALUE" only NAME counts
  std::vector<std::string> pass;      // exact names that are passed on although a pattern matches
};

struct CommandEnvironment {
  std::vector<std::string> variables;  // "NAME=value"
  std::vector<std::string> withheld;   // names, sorted
};

// The worker's `variables` ("NAME=value") without those that `rules` and the comma-separated
// patterns in the variable SPARKLES_WITHHOLD_ENV withhold. SPARKLES_MONITOR_SECRET, the worker's
// own, is always withheld.
CommandEnvironment MakeCommandEnvironment(const std::vector<std::string>& variables,
                                          const EnvironmentRules& rules);

// `base` with the variables that name `task` and its attempt. They replace those that a worker
// inherits which runs inside another worker's task.
std::vector<std::string> TaskEnvironment(const std::vector<std::string>& base, const Task& task,
                                         int attempt);

}  // namespace sparkles
