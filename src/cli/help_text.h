// The text of --help, and the lists of exit codes and signals in it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace sparkles {

struct HelpEntry {
  const char* term;
  const char* text;  // whole sentences or parts of one, in one line
};

const std::vector<HelpEntry>& ExitCodeEntries();
// Says which exit codes have an exception.
extern const char kExitCodeNote[];
const std::vector<HelpEntry>& SignalEntries();

// All commands of `app`, in the order of the table.
std::vector<const CLI::App*> Commands(const CLI::App& app);
std::vector<std::string> CommandNames(const CLI::App& app);

// "sparklesworker consume --tasksDir DIR [FLAG]...": the required flags, and a sign for the others.
std::string UsageLine(const CLI::App& app);

// What --help prints for the whole program or for one command, at most 100 characters wide.
std::string HelpText(const CLI::App& app);

}  // namespace sparkles
