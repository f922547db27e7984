// Lays out the table of commands and flags as text for a terminal.
#include "cli/help_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "cli/command_table.h"

namespace sparkles {
namespace {

constexpr size_t kWidth = 98;
constexpr size_t kFlagColumn = 30;
constexpr size_t kCommandColumn = 14;
constexpr size_t kCodeColumn = 7;
constexpr size_t kSignalColumn = 20;

// The term, and its text from `column` on. A long term has a line of its own.
void AddEntry(std::string& out, absl::string_view term, absl::string_view text, size_t column) {
  std::string line = absl::StrCat("  ", term);
  if (line.size() + 2 > column) {
    absl::StrAppend(&out, line, "\n");
    line.clear();
  }
  line.resize(column, ' ');
  bool is_first = true;
  for (const absl::string_view word : absl::StrSplit(text, ' ')) {
    if (!is_first && line.size() + 1 + word.size() > kWidth) {
      absl::StrAppend(&out, line, "\n");
      line.assign(column, ' ');
      is_first = true;
    }
    absl::StrAppend(&line, is_first ? "" : " ", word);
    is_first = false;
  }
  absl::StrAppend(&out, line, "\n");
}

void AddEntries(std::string& out, absl::string_view title, const std::vector<HelpEntry>& entries,
                size_t column) {
  absl::StrAppend(&out, "\n", title, ":\n");
  for (const HelpEntry& entry : entries) AddEntry(out, entry.term, entry.text, column);
}

void AddFlags(std::string& out, const CLI::App& app) {
  for (const std::string& group : app.get_groups()) {
    absl::StrAppend(&out, "\n", group == "Options" ? "Flags" : group, ":\n");
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_group() != group) continue;
      const std::string value = FlagValue(*option);
      AddEntry(
          out,
          absl::StrCat(absl::StrJoin(FlagNames(*option), ", "), value.empty() ? "" : " ", value),
          FlagHelp(*option), kFlagColumn);
    }
  }
}

}  // namespace

const std::vector<HelpEntry>& ExitCodeEntries() {
  static const auto& entries = *new std::vector<HelpEntry>{
      {"0", "done; a failed task is not an error of the worker"},
      {"1",
       "a command such as fetch or logs failed, a check of doctor failed, or an unexpected error"},
      {"2", "wrong use of the command line"},
      {"3", "--expectedVersion is not this version, 5.0.0 or 5.8.2"},
      {"4", "the tasks file or its state file, or a part of it, cannot be used"},
      {"5",
       "this machine is unfit: --tasksDir or --cacheDir cannot be used; or threads or processes "
       "cannot be started; or for 5 minutes free space was too low, claims could not be journaled, "
       "or processes of an earlier task still ran; or five tasks in a row were handed back because "
       "of machine faults, or failed because the same permission is missing"},
      {"6", "stuck: no sign of life for two periods of --timeout"},
      {"75", "the VM is being preempted; the task was handed back"},
      {"130", "stopped by SIGINT; the task was handed back"},
      {"140", "stopped by SIGUSR2; the task was handed back"},
      {"143", "stopped by SIGTERM; the task was handed back"},
      {"152", "stopped by SIGXCPU; the task was handed back"},
  };
  return entries;
}

const char kExitCodeNote[] =
    "With 75 to 152: if there was no time to hand the task back, the log says so, and the task "
    "stays claimed.";

const std::vector<HelpEntry>& SignalEntries() {
  static const auto& entries = *new std::vector<HelpEntry>{
      {"SIGTERM, SIGINT, SIGUSR2, SIGXCPU",
       "Stop: hand the task back and exit within --stopWithin seconds. A second stop signal, more "
       "than 1 s later, sends KILL to the command at once. After a third one the worker exits at "
       "once."},
      {"SIGUSR1, SIGQUIT", "Drain: finish the running task, claim no other task, and exit with 0."},
  };
  return entries;
}

std::vector<const CLI::App*> Commands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : Commands(app)) names.push_back(command->get_name());
  return names;
}

std::string UsageLine(const CLI::App& app) {
  if (app.get_parent() == nullptr) return app.get_name() + " COMMAND [FLAG]...";
  std::string line = absl::StrCat(app.get_parent()->get_name(), " ", app.get_name());
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_required()) continue;
    absl::StrAppend(&line, " ", FlagNames(*option).front(), " ", FlagValue(*option));
  }
  return line + " [FLAG]...";
}

std::string HelpText(const CLI::App& app) {
  const bool is_program = app.get_parent() == nullptr;
  std::string out;
  absl::StrAppend(&out, app.get_description(), "\n\nUsage: ", UsageLine(app), "\n");
  if (is_program) {
    absl::StrAppend(&out, "\nCommands (COMMAND --help lists the flags of a command):\n");
    for (const CLI::App* command : Commands(app)) {
      AddEntry(out, command->get_name(), command->get_description(), kCommandColumn);
    }
  }
  AddFlags(out, app);
  if (is_program || app.get_name() == "consume") {
    AddEntries(out, "Exit codes", ExitCodeEntries(), kCodeColumn);
    AddEntry(out, "", kExitCodeNote, kCodeColumn);
  }
  if (app.get_name() == "consume") AddEntries(out, "Signals", SignalEntries(), kSignalColumn);
  return out;
}

}  // namespace sparkles
