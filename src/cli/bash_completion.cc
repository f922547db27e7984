// Writes the table of commands and flags as a function of bash.
#include "cli/bash_completion.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "cli/command_table.h"
#include "cli/help_text.h"

namespace sparkles {
namespace {

// bash splits "--name=value" into three words.
constexpr char kStart[] =
    R"(# Completion of sparklesworker for bash, printed by: sparklesworker completion
_sparklesworker() {
  local word=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD-1]} words=
  if [[ $word == = ]]; then
    word=
  elif [[ $flag == = ]]; then
    flag=${COMP_WORDS[COMP_CWORD-2]}
  fi
  [[ $flag == -[!-]* ]] && flag=-$flag
  local command=${COMP_WORDS[1]}
  ((COMP_CWORD == 1)) && command=
  case $command:$flag in
)";
constexpr char kEnd[] = R"(  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _sparklesworker sparklesworker
)";

// What bash does for the value of a flag.
std::string ValueAction(const std::string& value) {
  if (value == "FILE") return "compopt -o default ";
  if (value == "DIR") return "compopt -o dirnames ";
  if (absl::StrContains(value, '|')) {
    return absl::StrCat("words='", absl::StrReplaceAll(value, {{"|", " "}}), "' ");
  }
  return "";
}

// One case for each flag with a value, and one for the list of flags.
void AddCases(std::string& out, const CLI::App& app, std::vector<std::string> words) {
  const std::string command = app.get_parent() == nullptr ? "" : app.get_name();
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : FlagNames(*option)) {
      if (!absl::StartsWith(name, "--")) continue;
      words.push_back(name);
      const std::string value = FlagValue(*option);
      if (value.empty()) continue;
      absl::StrAppend(&out, "    ", command, ":", name, ") ", ValueAction(value), ";;\n");
    }
  }
  absl::StrAppend(&out, "    ", command, ":*) words='", absl::StrJoin(words, " "), "' ;;\n");
}

}  // namespace

std::string BashCompletion(const CLI::App& app) {
  std::string out = kStart;
  AddCases(out, app, CommandNames(app));
  for (const CLI::App* command : Commands(app)) AddCases(out, *command, {});
  return out + kEnd;
}

}  // namespace sparkles
