// Lays out the table of commands and flags as a manual page.
#include "cli/manual_page.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "cli/command_table.h"
#include "cli/help_text.h"

namespace sparkles {
namespace {

constexpr char kExamples[] = R"(Run the tasks of a file:
.PP
.nf
    sparklesworker consume \-\-tasksFile tasks.jsonl \-\-tasksDir tasks \-\-cacheDir cache
.fi
.PP
Run the tasks of a cluster:
.PP
.nf
    sparklesworker consume \-\-projectId PROJECT \-\-cluster CLUSTER \e
        \-\-tasksDir /mnt/sparkles/tasks \-\-cacheDir /mnt/sparkles/cache
.fi
)";

// The text as roff prints it unchanged. A dot at the start would be a request.
std::string Roff(absl::string_view text) {
  return absl::StrCat(
      absl::StartsWith(text, ".") ? "\\&" : "",
      absl::StrReplaceAll(text, {{"\\", "\\e"}, {"-", "\\-"}, {"'", "\\(aq"}, {"`", "\\(ga"}}));
}

void AddEntry(std::string& out, absl::string_view term, absl::string_view text) {
  absl::StrAppend(&out, ".TP\n\\fB", Roff(term), "\\fR\n", Roff(text), "\n");
}

// True for the flags of doctor that are those of consume, which are shown once.
bool IsOfConsume(const CLI::App& app, const CLI::Option& option) {
  return app.get_name() == "doctor" &&
         app.get_parent()->get_subcommand("consume")->get_option_no_throw(
             FlagNames(option).back()) != nullptr;
}

void AddFlags(std::string& out, const CLI::App& app) {
  std::string group = "Options";  // CLI11's name for flags without a group
  for (const CLI::Option* option : app.get_options()) {
    // Every command has --help, which is shown once.
    if (option == app.get_help_ptr() && app.get_parent() != nullptr) continue;
    if (IsOfConsume(app, *option)) continue;
    if (option->get_group() != group) {
      group = option->get_group();
      absl::StrAppend(&out, ".PP\n", Roff(group), ":\n");
    }
    std::string term = absl::StrCat("\\fB", Roff(absl::StrJoin(FlagNames(*option), ", ")), "\\fR");
    const std::string value = FlagValue(*option);
    if (!value.empty()) absl::StrAppend(&term, " \\fI", Roff(value), "\\fR");
    absl::StrAppend(&out, ".TP\n", term, "\n", Roff(FlagHelp(*option)), "\n");
  }
}

}  // namespace

std::string ManualPage(const CLI::App& app) {
  std::string out =
      ".\\\" `make man` writes this file from the table of flags in src/cli/command_table.cc.\n"
      ".TH SPARKLESWORKER 1 \"\" \"sparklesworker\" \"User Commands\"\n"
      ".SH NAME\nsparklesworker \\- runs tasks of Sparklespray\n.SH SYNOPSIS\n";
  absl::StrAppend(&out, "\\fB", Roff(app.get_name()), "\\fR \\fICOMMAND\\fR [\\fIFLAG\\fR]...\n",
                  ".SH DESCRIPTION\n", Roff(app.get_description()), "\n.PP\n",
                  "Write a flag as \\fB\\-\\-name value\\fR, \\fB\\-\\-name=value\\fR, "
                  "\\fB\\-name value\\fR or \\fB\\-name=value\\fR.\n.SH FLAGS OF ALL COMMANDS\n");
  AddFlags(out, app);
  absl::StrAppend(&out, ".SH COMMANDS\n");
  for (const CLI::App* command : Commands(app)) {
    absl::StrAppend(&out, ".SS ", command->get_name(), "\n", Roff(command->get_description()),
                    "\n.PP\n", Roff(UsageLine(*command)), "\n");
    AddFlags(out, *command);
    if (command->get_name() == "doctor")
      absl::StrAppend(&out, ".PP\nAll flags of consume, with the same meaning.\n");
  }
  absl::StrAppend(&out, ".SH EXIT STATUS\n");
  for (const HelpEntry& entry : ExitCodeEntries()) AddEntry(out, entry.term, entry.text);
  absl::StrAppend(&out, ".PP\n", Roff(kExitCodeNote), "\n.SH SIGNALS\nTo \\fBconsume\\fR:\n");
  for (const HelpEntry& entry : SignalEntries()) AddEntry(out, entry.term, entry.text);
  absl::StrAppend(&out, ".SH EXAMPLES\n", kExamples);
  return out;
}

}  // namespace sparkles
