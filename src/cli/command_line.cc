// Parses the arguments as Go's flag package does, and runs the command.
#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/bash_completion.h"
#include "cli/command_table.h"
#include "cli/commands.h"
#include "cli/help_text.h"
#include "cli/manual_page.h"
#include "cli/version.h"
#include "worker/exit_code.h"
#include "worker/signals.h"

namespace sparkles {
namespace {

class CommandLine {
 public:
  CommandLine() : table_(options_), app_(table_.app()) {}

  int Run(int argc, char** argv) {
    options_.slot = TakeSlotOrigin(argc, argv);
    options_.consume.arguments.assign(argv, argv + argc);
    try {
      std::vector<std::string> arguments = Canonical(argc, argv);
      app_.parse(std::move(arguments));  // takes them in reverse order
      if (Chosen() == nullptr) {
        throw CLI::RequiredError(
            absl::StrCat("A command (", absl::StrJoin(CommandNames(app_), ", "), ")"));
      }
    } catch (const CLI::CallForHelp&) {
      const CLI::App* command = Chosen();
      std::cout << HelpText(command == nullptr ? app_ : *command);
      return kExitDone;
    } catch (const CLI::Success& wanted) {  // --version
      app_.exit(wanted, std::cout, std::cerr);
      return kExitDone;
    } catch (const CLI::ParseError& error) {
      const CLI::App* command = Chosen();
      const std::string name =
          command == nullptr ? "sparklesworker" : "sparklesworker " + command->get_name();
      std::cerr << name << ": " << error.what() << "\nTry '" << name << " --help'.\n";
      return kExitUsage;
    }
    return Dispatch();
  }

 private:
  int Dispatch() {
    if (app_.got_subcommand("consume")) {
      return RunConsume(options_.consume, std::move(options_.slot));
    }
    if (app_.got_subcommand("doctor")) return RunDoctor(options_.consume, options_.doctor);
    if (app_.got_subcommand("copyexe")) return RunCopyexe(options_.copyexe);
    if (app_.got_subcommand("fetch")) return RunFetch(options_.fetch);
    if (app_.got_subcommand("summary")) return RunSummary(options_.summary);
    if (app_.got_subcommand("status")) return RunStatus(options_.watch);
    if (app_.got_subcommand("logs")) return RunLogs(options_.watch);
    std::cout << TextToPrint();
    return kExitDone;
  }

  std::string TextToPrint() {
    if (app_.got_subcommand("man")) return ManualPage(app_);
    if (app_.got_subcommand("completion")) return BashCompletion(app_);
    return (options_.verbose_version ? VersionDetails() : VersionLine()) + "\n";
  }

  CLI::App* Chosen() {
    const auto chosen = app_.get_subcommands();
    return chosen.empty() ? nullptr : chosen.front();
  }

  // Null if there is no such command.
  CLI::App* Named(const std::string& name) {
    for (CLI::App* command : app_.get_subcommands([](const CLI::App*) { return true; })) {
      if (command->get_name() == name) return command;
    }
    return nullptr;
  }

  // All arguments after the program's name, flags as "--name=value", last one first. Go's flag
  // package also takes "-name value", "--name value" and "-name=value", and a value may begin with
  // a dash. CLI11 does not take these.
  std::vector<std::string> Canonical(int argc, char** argv) {
    std::vector<std::string> all;
    CLI::App* command = nullptr;
    for (int i = 1; i < argc; ++i) {
      std::string argument = argv[i];
      if (argument.empty()) continue;
      if (command == nullptr) command = Named(argument);
      if (command == nullptr && argument[0] != '-') throw CLI::ExtrasError({argument});
      if (argument.size() > 2 && argument[0] == '-' && argument[1] != '-') argument.insert(0, "-");
      const CLI::Option* option =
          command == nullptr ? nullptr : command->get_option_no_throw(argument);
      // The next argument is the flag's value, even if it begins with a dash.
      const bool takes_value = option != nullptr && option->get_items_expected_min() > 0;
      if (takes_value && i + 1 < argc) argument += std::string("=") + argv[++i];
      const size_t equals = argument.find('=');
      const bool is_flag = argument[0] == '-';
      CLI::App& owner = command == nullptr ? app_ : *command;
      const CLI::Option* flag = owner.get_option_no_throw(argument.substr(0, equals));
      if (is_flag && flag == nullptr) throw CLI::ExtrasError({argument});
      // An empty value means the same as no flag. CLI11 does not support that.
      const bool empty = equals != std::string::npos && equals + 1 == argument.size();
      if (is_flag && empty && table_.IsText(flag)) continue;
      all.push_back(std::move(argument));
    }
    return {all.rbegin(), all.rend()};
  }

  CommandOptions options_;
  CommandTable table_;
  CLI::App& app_;
};

}  // namespace

int RunCommandLine(int argc, char** argv) {
  IgnoreWriteSignals();
  return CommandLine().Run(argc, argv);
}

}  // namespace sparkles
