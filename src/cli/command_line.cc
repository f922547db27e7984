// The one hard idea: Go's flag package takes "-name value", "--name value", "-name=value" and
// "--name=value" alike. Arguments are brought to the last form before CLI11 sees them, which also
// lets a value begin with a dash.
#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/version.h"
#include "worker/exit_code.h"
#include "worker/signals.h"

namespace sparkles {
namespace {

constexpr char kExitCodes[] =
    "Exit codes:\n"
    "  0    done; a task that failed is recorded as failed, it is no error of the worker\n"
    "  1    the command could not do its work (copyexe, fetch, logs ...), or an unexpected error\n"
    "  2    wrong use of the command line\n"
    "  3    --expectedVersion is not this version, 5.0.0 or 5.8.2\n"
    "  4    the tasks file or its state cannot be used, or a part of the file (other tasks ran)\n"
    "  5    this machine is unfit: its directories cannot be used, no threads can be started,\n"
    "       processes of a task cannot be ended, 5 machine faults in a row, or 5 tasks in a row\n"
    "       failed because the same permission is missing\n"
    "  6    stuck: no sign of life for two periods of --timeout\n"
    "  75   the VM is being preempted; the task in work was handed back\n"
    "  130  stopped by SIGINT; the task in work was handed back\n"
    "  140  stopped by SIGUSR2; the task in work was handed back\n"
    "  143  stopped by SIGTERM; the task in work was handed back\n"
    "  152  stopped by SIGXCPU; the task in work was handed back\n"
    "       (75 to 152: if the log says so, there was no time and the task stays claimed)\n";
constexpr char kSignals[] =
    "Signals:\n"
    "  SIGTERM, SIGINT, SIGUSR2, SIGXCPU\n"
    "                    hand the task back and exit within --stopWithin seconds; a second signal\n"
    "                    (more than a second later) sends the command KILL at once; a third\n"
    "                    signal ends the worker at once\n"
    "  SIGUSR1, SIGQUIT  finish the task in work, then exit 0\n";

// For flags with no better limit than that of their type.
constexpr int kMaxInt = std::numeric_limits<int>::max();
// TERM, KILL, the log and the hand-back need at least 5 s. More than a day is a mistake.
constexpr int kLeastStopSeconds = 5;
constexpr int kMostStopSeconds = 24 * 60 * 60;

// For before CLI::AsSizeValue, which takes "-5" for 2^64-5 and what is too large for the largest.
std::string SizeProblem(const std::string& text) {
  uint64_t number = 0;
  const bool is_size =
      absl::SimpleAtoi(text.substr(0, text.find_first_not_of("0123456789")), &number);
  return is_size ? "" : absl::StrCat(text, " is no size");
}

bool IsHost(absl::string_view text) {
  const bool in_brackets = text.size() > 2 && text.front() == '[' && text.back() == ']';
  const absl::string_view name = in_brackets ? text.substr(1, text.size() - 2) : text;
  return !name.empty() && std::all_of(name.begin(), name.end(), absl::ascii_isgraph) &&
         name.find_first_of("[]/") == absl::string_view::npos &&
         absl::StrContains(name, ':') == in_brackets;
}

bool IsPort(absl::string_view text) {
  int port = 0;  // SimpleAtoi takes blanks and signs, too
  return std::all_of(text.begin(), text.end(), absl::ascii_isdigit) &&
         absl::SimpleAtoi(text, &port) && port >= 1 && port <= 65535;
}

// What is wrong with a flag's value, empty if nothing is: of an address, since gRPC asks port 443
// if none is named,
std::string AddressProblem(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon != std::string::npos && IsHost(text.substr(0, colon)) &&
      IsPort(text.substr(colon + 1))) {
    return "";
  }
  return absl::StrCat("'", PrintableText(text), "' is not HOST:PORT (IPv6: [ADDRESS]:PORT)");
}

// and of a text that goes into a message of gRPC, which takes no other.
std::string Utf8Problem(const std::string& text) {
  return IsUtf8(text) ? "" : absl::StrCat("'", PrintableText(text), "' is not UTF-8");
}

// and of the path of a tasks file, which is read again while workers run.
std::string TasksFileProblem(const std::string& text) {
  if (text == "-") {
    return "'-' (standard input) cannot be the tasks file: workers read the file again and keep "
           "their state beside it; write the tasks to a file";
  }
  if (absl::StartsWith(text, "gs://")) {
    return absl::StrCat("'", PrintableText(text), "' is not a local file; copy it first: ",
                        "sparklesworker fetch --src URL --dst FILE");
  }
  if (absl::StrContains(text, "://")) {
    return absl::StrCat("'", PrintableText(text), "' is a URL; give the path of the file");
  }
  return "";
}

// Declares all commands, with the options that their flags fill in.
class CommandLine {
 public:
  CommandLine() : app_("Runs tasks: fetches inputs, runs a command, delivers outputs.") {
    app_.name("sparklesworker");
    app_.require_subcommand(0, 1);
    app_.set_version_flag("--version", VersionLine());
    app_.footer(kExitCodes);
    DeclareConsume();
    DeclareOthers();
    DeclareWatching();
  }

  int Run(int argc, char** argv) {
    try {
      std::vector<std::string> arguments = Canonical(argc, argv);
      app_.parse(std::move(arguments));  // takes them in reverse order
      if (Chosen() == nullptr) {
        throw CLI::RequiredError(
            "A command (consume, copyexe, fetch, summary, status, logs or version)");
      }
    } catch (const CLI::Success& wanted) {  // --help, --version
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
  void DeclareConsume();
  void DeclareConsumeLimits();
  void DeclareConsumeReports();
  void DeclareConsumeCloud();
  void DeclareOthers();
  void DeclareWatching();

  int Dispatch() {
    if (app_.got_subcommand("consume")) return RunConsume(consume_);
    if (app_.got_subcommand("copyexe")) return RunCopyexe(copyexe_);
    if (app_.got_subcommand("fetch")) return RunFetch(fetch_);
    if (app_.got_subcommand("summary")) return RunSummary(summary_);
    if (app_.got_subcommand("status")) return RunStatus(watch_);
    if (app_.got_subcommand("logs")) return RunLogs(watch_);
    std::cout << (verbose_version_ ? VersionDetails() : VersionLine()) << "\n";
    return kExitDone;
  }

  CLI::App* Chosen() {
    const auto chosen = app_.get_subcommands();
    return chosen.empty() ? nullptr : chosen.front();
  }

  static bool TakesText(const CLI::App& command, const std::string& flag) {
    return command.get_option(flag)->get_type_name() == "TEXT";
  }

  // Null if there is no such command.
  CLI::App* Named(const std::string& name) {
    for (CLI::App* command : app_.get_subcommands([](const CLI::App*) { return true; })) {
      if (command->get_name() == name) return command;
    }
    return nullptr;
  }

  // All arguments after the program's name, flags as "--name=value", last one first.
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
      // A flag that takes a value has the next argument as its value, whatever that looks like.
      const bool takes_value = option != nullptr && option->get_items_expected_min() > 0;
      if (takes_value && i + 1 < argc) argument += std::string("=") + argv[++i];
      const size_t equals = argument.find('=');
      const bool is_flag = argument[0] == '-';
      CLI::App& owner = command == nullptr ? app_ : *command;
      if (is_flag && owner.get_option_no_throw(argument.substr(0, equals)) == nullptr) {
        throw CLI::ExtrasError({argument});
      }
      // An empty value is the same as none, which CLI11 does not know.
      const bool empty = equals != std::string::npos && equals + 1 == argument.size();
      if (is_flag && empty && TakesText(owner, argument.substr(0, equals))) continue;
      all.push_back(std::move(argument));
    }
    return {all.rbegin(), all.rend()};
  }

  CLI::App app_;
  ConsumeOptions consume_;
  CopyexeOptions copyexe_;
  FetchOptions fetch_;
  SummaryOptions summary_;
  WatchOptions watch_;
  bool verbose_version_ = false;
};

void CommandLine::DeclareConsume() {
  CLI::App* command = app_.add_subcommand("consume", "Run tasks until none is left.");
  command->footer(std::string(kExitCodes) + "\n" + kSignals);
  command
      ->add_option("--tasksFile", consume_.tasks_file,
                   "take tasks from this file (JSON or JSON Lines); state: FILE.state")
      ->check(TasksFileProblem);
  command->add_option("--tasksDir", consume_.tasks_dir, "directory in which each task gets its own")
      ->required();
  command->add_option("--cacheDir", consume_.cache_dir, "directory that keeps inputs between tasks")
      ->required();
  command
      ->add_option("--shutdownAfter", consume_.shutdown_after_seconds,
                   "seconds to wait for more tasks")
      ->check(CLI::Range(0, kMaxInt))
      ->capture_default_str();
  command
      ->add_option("--ftShutdownAfter", consume_.ft_shutdown_after_seconds,
                   "the same if BATCH_TASK_INDEX=0 (Batch's first worker), if longer")
      ->check(CLI::Range(0, kMaxInt))
      ->capture_default_str();
  command->add_option("--expectedVersion", consume_.expected_version,
                      "exit 3 unless it is this version, 5.0.0 or 5.8.2");
  DeclareConsumeLimits();
  DeclareConsumeReports();
  DeclareConsumeCloud();
}

void CommandLine::DeclareConsumeLimits() {
  CLI::App* command = app_.get_subcommand("consume");
  command->add_flag("--keepTasks", consume_.keep_tasks,
                    "do not remove the directories of ended tasks");
  command
      ->add_flag("--durable,!--no-durable", consume_.durable,
                 "fsync results; --durable=false is quicker")
      ->capture_default_str();
  command
      ->add_option("--grace", consume_.grace_seconds,
                   "seconds from TERM to KILL for a command; at most half of --stopWithin")
      ->check(CLI::Range(0, kMaxInt))
      ->capture_default_str();
  command
      ->add_option("--stopWithin", consume_.stop_within_seconds,
                   "seconds a stop may take; keep it below the platform's time to KILL")
      ->check(CLI::Range(kLeastStopSeconds, kMostStopSeconds))
      ->capture_default_str();
  command
      ->add_option("--minFreeSpace", consume_.min_free_bytes,
                   "claim nothing with less disk free; default: 100M, at most 1%")
      ->transform(CLI::AsSizeValue(false))
      ->transform(CLI::Validator(SizeProblem, ""));
  command
      ->add_option("--cacheSize", consume_.cache_bytes,
                   "keep the cache below this size, e.g. 200G; default: any size")
      ->transform(CLI::AsSizeValue(false))
      ->transform(CLI::Validator(SizeProblem, ""));
  command
      ->add_option("--taskTimeout", consume_.task_timeout_seconds,
                   "seconds after which a command or script is ended; 0: no limit")
      ->check(CLI::Range(0, kMaxInt))
      ->capture_default_str();
  command
      ->add_option("--permissionPatience", consume_.permission_patience_seconds,
                   "seconds to retry a 403 from a bucket without earlier access")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--withholdEnv", consume_.withhold_env,
                   "withhold variables, e.g. '*_TOKEN'; adds to SPARKLES_WITHHOLD_ENV")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_option("--passEnv", consume_.pass_env, "pass this variable on despite --withholdEnv")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->envname("SPARKLES_PASS_ENV");
  command->add_flag("--coreDumps", consume_.core_dumps, "let commands write core dumps");
  command->add_option("--transfers", consume_.transfers, "files transferred at a time")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
}

void CommandLine::DeclareConsumeReports() {
  CLI::App* command = app_.get_subcommand("consume");
  command->add_option("--logFormat", consume_.log_format, "for people or for programs")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->add_option("--logLevel", consume_.log_level, "least severity that is logged")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  command
      ->add_option("--timeout", consume_.watchdog_minutes,
                   "minutes without a sign of life: then the watchdog reports")
      ->check(CLI::Range(0.005, 1e6))
      ->check([](const std::string& text) {  // which no range keeps out
        double minutes = 0;
        const bool is_number = absl::SimpleAtod(text, &minutes) && !std::isnan(minutes);
        return is_number ? std::string() : absl::StrCat(text, " is no number of minutes");
      })
      ->capture_default_str();
  command
      ->add_option("--healthPort", consume_.health_port, "serve /healthz, /readyz, /metrics here")
      ->check(CLI::Range(0, 65535));
  command->add_option("--healthAddress", consume_.health_address, "where --healthPort listens")
      ->capture_default_str();
}

void CommandLine::DeclareConsumeCloud() {
  CLI::App* command = app_.get_subcommand("consume");
  const std::string group = "Tasks from Google Datastore";
  command
      ->add_option("--projectId", consume_.project_id,
                   "project of the queue; default: that of the credentials or VM")
      ->group(group);
  command->add_option("--cluster", consume_.cluster, "only tasks of this cluster")->group(group);
  command
      ->add_option("--port", consume_.port,
                   "serve the Monitor on this port, so that tasks can be watched")
      ->check(CLI::Range(0, 65535))
      ->group(group);
  command
      ->add_flag("--localhost", consume_.localhost, "not on a VM: owner and host are \"localhost\"")
      ->group(group);
  command->callback([this] {
    if (!consume_.tasks_file.empty()) return;
    if (consume_.cluster.empty()) throw CLI::RequiredError("--cluster (or --tasksFile)");
  });
}

void CommandLine::DeclareOthers() {
  CLI::App* copyexe = app_.add_subcommand("copyexe", "Copy this executable somewhere else.");
  copyexe->add_option("--dst", copyexe_.dst, "path of the copy; missing folders are made")
      ->required();
  CLI::App* fetch = app_.add_subcommand("fetch", "Fetch one object into a file.");
  fetch->add_option("--src", fetch_.src, "gs:// or file:// URL of the object")->required();
  fetch->add_option("--dst", fetch_.dst, "path of the file")->required();
  const auto is_md5 = [](const std::string& text) {
    const bool ok =
        text.empty() || (text.size() == 32 &&
                         text.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos);
    return ok ? "" : "'" + text + "' is not an MD5 in hex (32 digits)";
  };
  fetch->add_option("--expectMD5", fetch_.expect_md5, "hex MD5 that the content must have")
      ->check(is_md5);
  CLI::App* summary = app_.add_subcommand("summary", "Show what became of the tasks of a file.");
  summary->add_option("--tasksFile", summary_.tasks_file, "the tasks file")
      ->required()
      ->check(TasksFileProblem);
  CLI::App* version = app_.add_subcommand("version", "Print version, commit and lane.");
  version->add_flag("--verbose", verbose_version_, "also libraries and built-in CA roots");
}

void CommandLine::DeclareWatching() {
  CLI::App* status = app_.add_subcommand("status", "Show how busy a worker's machine is.");
  CLI::App* logs = app_.add_subcommand("logs", "Show what a task on a worker has printed.");
  for (CLI::App* command : {status, logs}) {
    command->add_option("--address", watch_.address, "HOST:PORT of the worker's Monitor")
        ->required()
        ->check(AddressProblem);
    command
        ->add_option("--certFile", watch_.cert_file,
                     "file with the certificate of the cluster (PEM)")
        ->required();
    command->add_option("--secretFile", watch_.secret_file,
                        "file with the cluster's secret; default: SPARKLES_MONITOR_SECRET");
  }
  logs->add_option("--task", watch_.task, "id of the task")->required()->check(Utf8Problem);
  logs->add_flag("--follow", watch_.follow, "go on until the task has ended");
}

}  // namespace

int RunCommandLine(int argc, char** argv) {
  IgnoreWriteSignals();
  return CommandLine().Run(argc, argv);
}

}  // namespace sparkles
