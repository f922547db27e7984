// Makes the environment of a task's scripts and command.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "task/task.h"

namespace sparkles {

// Rules that keep variables of the worker from commands.
struct EnvironmentRules {
  std::vector<std::string> withhold;  // shell patterns of names; of "NAME=VALUE" only NAME counts
  std::vector<std::string> pass;      // exact names that are passed on although a pattern matches
};

struct CommandEnvironment {
  std::vector<std::string> variables;  // "NAME=value"
  std::vector<std::string> withheld;   // names, sorted
};

// The worker's `variables` ("NAME=value") without those withheld by `rules` or by the
// comma-separated patterns in the variable SPARKLES_WITHHOLD_ENV. SPARKLES_MONITOR_SECRET, which is
// for the worker only, is always withheld.
CommandEnvironment MakeCommandEnvironment(const std::vector<std::string>& variables,
                                          const EnvironmentRules& rules);

// `base` with the variables that name `task` and its attempt. They replace the same variables of an
// outer task, in which this worker may run.
std::vector<std::string> TaskEnvironment(const std::vector<std::string>& base, const Task& task,
                                         int attempt);

}  // namespace sparkles
