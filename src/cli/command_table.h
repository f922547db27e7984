// The table of all commands and flags, from which parser, help, manual page and completion are
// made.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/commands.h"

namespace sparkles {

// Parsing with app() fills in the options, which must outlive the table.
class CommandTable {
 public:
  explicit CommandTable(CommandOptions& options);

  CLI::App& app() { return app_; }

  // True for flags with a text: an empty value means the same as no flag.
  bool IsText(const CLI::Option* option) const { return texts_.count(option) != 0; }

 private:
  void DeclareConsume();
  void DeclareConsumeFlags();
  void DeclareConsumeDisk();
  void DeclareConsumeLimits();
  void DeclareConsumeReports();
  void DeclareConsumeCloud();
  void DeclareDoctor();
  void DeclareOthers();
  void DeclareSummary();
  void DeclareWatching();

  // Declare one flag of the command that was declared last. `value` is the word for the value in
  // the help.
  CLI::Option* Text(const std::string& flag, const std::string& value, std::string& field,
                    const std::string& help);
  CLI::Option* Texts(const std::string& flag, const std::string& value,
                     std::vector<std::string>& field, const std::string& help);
  CLI::Option* Number(const std::string& flag, const std::string& value, int& field, int least,
                      int most, const std::string& help);
  CLI::Option* Size(const std::string& flag, std::optional<uint64_t>& field,
                    const std::string& help);
  CLI::Option* Choice(const std::string& flag, const std::vector<std::string>& choices,
                      std::string& field, const std::string& help);

  CommandOptions& options_;
  CLI::App app_;
  CLI::App* command_ = nullptr;  // declared last
  std::set<const CLI::Option*> texts_;
};

// What the help, the manual page and the completion say of a flag.

// Its names, such as {"-h", "--help"}.
std::vector<std::string> FlagNames(const CLI::Option& option);
// The word for its value, such as SECONDS, or the choices, such as text|json; empty if the flag
// takes none.
std::string FlagValue(const CLI::Option& option);
// Its help with the default.
std::string FlagHelp(const CLI::Option& option);

}  // namespace sparkles
