// Declares each command and flag once, with the words of its help.
#include "cli/command_table.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/text.h"
#include "cli/version.h"
#include "doctor/bucket_checks.h"
#include "slots/slot_count.h"
#include "summary/order.h"

namespace sparkles {
namespace {

// For flags without a limit of their own.
constexpr int kMaxInt = std::numeric_limits<int>::max();
// More than a day is a mistake.
constexpr int kMostStopSeconds = 24 * 60 * 60;

// Datastore's limit for the name of a key.
constexpr size_t kMaxJobBytes = 1500;

// Runs before CLI::AsSizeValue, which reads "-5" as 2^64-5, and replaces a number that is too large
// by the largest one.
std::string SizeProblem(const std::string& text) {
  uint64_t number = 0;
  const bool is_size =
      absl::SimpleAtoi(text.substr(0, text.find_first_not_of("0123456789")), &number);
  return is_size ? "" : absl::StrCat(text, " is not a size, such as 200G");
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

// What is wrong with a flag's value; empty if nothing is. An address needs a port, because gRPC
// would take port 443 without one.
std::string AddressProblem(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon != std::string::npos && IsHost(text.substr(0, colon)) &&
      IsPort(text.substr(colon + 1))) {
    return "";
  }
  return absl::StrCat("'", PrintableText(text), "' is not HOST:PORT (IPv6: [ADDRESS]:PORT)");
}

// What is wrong with a value of --bucket; empty if nothing is.
std::string BucketProblem(const std::string& text) {
  const absl::Status status = ParseBucket(text).status();
  return status.ok() ? "" : std::string(status.message());
}

// A message of gRPC can only contain UTF-8.
std::string Utf8Problem(const std::string& text) {
  return IsUtf8(text) ? "" : absl::StrCat("'", PrintableText(text), "' is not UTF-8");
}

std::string JobProblem(const std::string& text) {
  if (text.size() > kMaxJobBytes) return absl::StrCat("is longer than ", kMaxJobBytes, " bytes");
  return Utf8Problem(text);
}

// Workers read the tasks file again while they run, so it must be a local file.
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

std::string SlotsProblem(const std::string& text) {
  const absl::Status status = CheckSlots(text);
  return status.ok() ? "" : std::string(status.message());
}

std::string Md5Problem(const std::string& text) {
  const bool ok =
      text.empty() ||
      (text.size() == 32 && text.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos);
  return ok ? "" : "'" + text + "' is not an MD5 in hex (32 digits)";
}

}  // namespace

CommandTable::CommandTable(CommandOptions& options)
    : options_(options),
      app_(
          "Runs tasks of Sparklespray: fetches the inputs, runs the command, stores the outputs.") {
  app_.name("sparklesworker");
  app_.require_subcommand(0, 1);
  app_.set_help_flag("-h,--help", "Print this help.");
  app_.set_version_flag("--version", VersionLine(), "Print the version.");
  DeclareConsume();
  DeclareDoctor();
  DeclareOthers();
  DeclareWatching();
}

CLI::Option* CommandTable::Text(const std::string& flag, const std::string& value,
                                std::string& field, const std::string& help) {
  CLI::Option* option = command_->add_option(flag, field, help)->type_name(value);
  if (!field.empty()) option->capture_default_str();
  texts_.insert(option);
  return option;
}

CLI::Option* CommandTable::Texts(const std::string& flag, const std::string& value,
                                 std::vector<std::string>& field, const std::string& help) {
  CLI::Option* option = command_->add_option(flag, field, help)->type_name(value);
  texts_.insert(option->delimiter(',')->allow_extra_args(false));
  return option;
}

CLI::Option* CommandTable::Number(const std::string& flag, const std::string& value, int& field,
                                  int least, int most, const std::string& help) {
  return command_->add_option(flag, field, help)
      ->type_name(value)
      ->check(CLI::Range(least, most).description(""))
      ->capture_default_str();
}

CLI::Option* CommandTable::Size(const std::string& flag, std::optional<uint64_t>& field,
                                const std::string& help) {
  return command_->add_option(flag, field, help)
      ->type_name("SIZE")
      ->transform(CLI::AsSizeValue(false).description(""))
      ->transform(CLI::Validator(SizeProblem, ""));
}

CLI::Option* CommandTable::Choice(const std::string& flag, const std::vector<std::string>& choices,
                                  std::string& field, const std::string& help) {
  return command_->add_option(flag, field, help)
      ->type_name(absl::StrJoin(choices, "|"))
      ->check(CLI::IsMember(choices).description(""))
      ->capture_default_str();
}

void CommandTable::DeclareConsume() {
  command_ = app_.add_subcommand("consume", "Run tasks until no task is left.");
  DeclareConsumeFlags();
}

// The two commands share the fields, because a command line has only one of them.
void CommandTable::DeclareDoctor() {
  command_ = app_.add_subcommand(
      "doctor",
      "Check whether a worker with these flags of consume can run tasks. Leaves nothing behind.");
  command_->option_defaults()->group("Flags of doctor");
  command_->add_flag("--json", options_.doctor.json, "Print one JSON object for programs.");
  Texts("--bucket", "BUCKET", options_.doctor.buckets,
        "Check that this bucket (or gs://BUCKET/PREFIX) can be read and written. May be repeated.")
      ->check(BucketProblem);
  command_->add_flag("--write", options_.doctor.write,
                     "Write a small object into each --bucket, read it, and remove it again.");
  command_->option_defaults()->group("Flags of consume");
  DeclareConsumeFlags();
}

void CommandTable::DeclareConsumeFlags() {
  Text("--tasksFile", "FILE", options_.consume.tasks_file,
       "Run the tasks of this file (JSON or JSON Lines). FILE.state has the state of the tasks.")
      ->check(TasksFileProblem);
  Text("--tasksDir", "DIR", options_.consume.tasks_dir,
       "Directory for the task directories and the journal of claims.")
      ->required();
  Text("--cacheDir", "DIR", options_.consume.cache_dir,
       "Directory that keeps inputs between tasks.")
      ->required();
  Text("--slots", "NUMBER|auto", options_.consume.slots,
       "Tasks to run at a time. auto: one for each processor, and not more than the memory holds "
       "with --slotMemory.")
      ->check(SlotsProblem)
      ->envname("SPARKLES_SLOTS");
  Size("--slotMemory", options_.consume.slot_memory,
       "Memory that a slot needs, such as 4G, for --slots auto. Default: not limited by memory.");
  Number("--shutdownAfter", "SECONDS", options_.consume.shutdown_after_seconds, 0, kMaxInt,
         "Seconds to wait for more tasks.");
  Number("--ftShutdownAfter", "SECONDS", options_.consume.ft_shutdown_after_seconds, 0, kMaxInt,
         "Seconds that the first worker of a Batch job (BATCH_TASK_INDEX=0) waits for more tasks, "
         "if longer than --shutdownAfter.");
  Text("--expectedVersion", "VERSION", options_.consume.expected_version,
       "Exit with 3 unless VERSION is the version of the worker, 5.0.0 or 5.8.2.");
  DeclareConsumeDisk();
  DeclareConsumeLimits();
  DeclareConsumeReports();
  DeclareConsumeCloud();
}

void CommandTable::DeclareConsumeDisk() {
  Size("--cacheSize", options_.consume.cache_bytes,
       "Limit for the cache, such as 200G. The worker evicts the least recently used inputs. "
       "Default: no limit.");
  Size("--minFreeSpace", options_.consume.min_free_bytes,
       "With less free space than this, the worker claims no task. Default: 100M, but at most 1% "
       "of the disk.");
  command_->add_flag("--keepTasks", options_.consume.keep_tasks,
                     "Keep the directories of ended tasks. You must remove them.");
  command_->add_flag("--durable,!--no-durable", options_.consume.durable,
                     "Sync local results to disk. --no-durable is faster, but a power cut can then "
                     "lose results. Default: on.");
  command_->add_flag("--coreDumps", options_.consume.core_dumps,
                     "Let commands write core dumps, which can fill the disk.");
  Number(
      "--transfers", "NUMBER", options_.consume.transfers, 1, 1024,
      "Files to transfer at a time, 1 to 1024. The worker transfers fewer if `ulimit -n` is low.");
}

void CommandTable::DeclareConsumeLimits() {
  Number("--stopWithin", "SECONDS", options_.consume.stop_within_seconds, kLeastStopSeconds,
         kMostStopSeconds,
         "Seconds that a stop may take, 5 to 86400. Must be less than the time until the platform "
         "sends KILL.");
  Number("--grace", "SECONDS", options_.consume.grace_seconds, 0, kMaxInt,
         "Seconds from TERM to KILL for a command; in a stop at most half of --stopWithin.");
  Number(
      "--checkpointEvery", "SECONDS", options_.consume.checkpoint_every_seconds, 0, kMaxInt,
      "Seconds between two saves of the files in SPARKLES_CHECKPOINT_DIR, which are restored for "
      "the next attempt. A stop also saves. 0 means that nothing is saved or restored.");
  Number("--taskTimeout", "SECONDS", options_.consume.task_timeout_seconds, 0, kMaxInt,
         "Seconds after which the worker ends a command or script. If the command is ended, the "
         "task fails. 0 means no limit.");
  Number("--noProgressTimeout", "SECONDS", options_.consume.no_progress_timeout_seconds, 0, kMaxInt,
         "Seconds after which the worker ends a command or script whose processes have used no "
         "CPU, done no I/O and printed nothing. The log then shows where they waited. If the "
         "command is ended, the task fails. 0 means no limit.");
  command_
      ->add_option("--timeout", options_.consume.watchdog_minutes,
                   "Minutes without a sign of life until the watchdog reports a stall. After twice "
                   "this time the worker exits with 6. A fraction is allowed.")
      ->type_name("MINUTES")
      ->check(CLI::Range(0.005, 1e6).description(""))
      ->check([](const std::string& text) {  // CLI::Range accepts NaN
        double minutes = 0;
        const bool is_number = absl::SimpleAtod(text, &minutes) && !std::isnan(minutes);
        return is_number ? std::string() : absl::StrCat(text, " is not a number of minutes");
      })
      ->capture_default_str();
  Number("--permissionPatience", "SECONDS", options_.consume.permission_patience_seconds, 0,
         kMaxInt,
         "Seconds to retry a 403 from a bucket that has not allowed such a request yet. A new role "
         "can take minutes to work.");
  Texts("--withholdEnv", "NAMES", options_.consume.withhold_env,
        "Environment variables that commands do not get, separated by commas. A name may be a "
        "pattern, such as '*_TOKEN'. Adds to the names in SPARKLES_WITHHOLD_ENV.");
  Texts("--passEnv", "NAMES", options_.consume.pass_env,
        "Environment variables that commands get although --withholdEnv matches, separated by "
        "commas. Default: the names in SPARKLES_PASS_ENV.")
      ->envname("SPARKLES_PASS_ENV");
}

void CommandTable::DeclareConsumeReports() {
  Choice("--logFormat", {"text", "json"}, options_.consume.log_format,
         "Format of the log: text for people, json for programs.");
  Choice("--logLevel", {"debug", "info", "warning", "error"}, options_.consume.log_level,
         "Least severity of messages in the log.");
  Choice("--view", {"auto", "off"}, options_.consume.view,
         "auto: if the log goes to a terminal, show the state of the run below the log.");
  Number("--logEvery", "SECONDS", options_.consume.log_every_seconds, 0, kMaxInt,
         "Seconds between two sends of the log of a running task to gs://. 0 means: only when the "
         "task has ended.");
  command_
      ->add_option("--healthPort", options_.consume.health_port,
                   "Serve /healthz, /readyz and /metrics over HTTP on this port. Default: none.")
      ->type_name("PORT")
      ->check(CLI::Range(0, 65535).description(""));
  Text("--healthAddress", "ADDRESS", options_.consume.health_address,
       "Address on which --healthPort listens.");
}

void CommandTable::DeclareConsumeCloud() {
  command_->option_defaults()->group("Tasks from Google Datastore");
  Text("--projectId", "PROJECT", options_.consume.project_id,
       "Project of the Datastore queue. Default: the project of the credentials or of the VM.");
  Text("--cluster", "CLUSTER", options_.consume.cluster,
       "Run only tasks of this cluster. Required without --tasksFile.");
  command_
      ->add_option("--port", options_.consume.port,
                   "Serve the Monitor on this port, for `logs` and `status`. Default: none.")
      ->type_name("PORT")
      ->check(CLI::Range(0, 65535).description(""));
  command_->add_flag("--localhost", options_.consume.localhost,
                     "For machines outside Google Cloud: the owner and the host of a task are "
                     "\"localhost\", and the worker does not watch for a preemption.");
  command_->callback([this] {
    if (options_.consume.slot_memory && options_.consume.slots != "auto") {
      throw CLI::ValidationError("--slotMemory", "has an effect only with --slots auto");
    }
    if (!options_.consume.tasks_file.empty()) return;
    if (options_.consume.cluster.empty()) throw CLI::RequiredError("--cluster (or --tasksFile)");
  });
}

void CommandTable::DeclareOthers() {
  command_ = app_.add_subcommand("copyexe", "Copy this program to another place.");
  Text("--dst", "FILE", options_.copyexe.dst, "Path of the copy. Missing directories are created.")
      ->required();
  command_ = app_.add_subcommand("fetch", "Fetch one object into a file, whole or not at all.");
  Text("--src", "URL", options_.fetch.src, "URL of the object, gs:// or file://.")->required();
  Text("--dst", "FILE", options_.fetch.dst, "Path of the file. Missing directories are created.")
      ->required();
  Text("--expectMD5", "HEX", options_.fetch.expect_md5,
       "MD5 of the content, as 32 hexadecimal digits. Other content is an error.")
      ->check(Md5Problem);
  DeclareSummary();
}

void CommandTable::DeclareSummary() {
  command_ = app_.add_subcommand(
      "summary",
      "Show the state of each task, what the tasks used, and which machine would do for them.");
  Text("--tasksFile", "FILE", options_.summary.tasks_file, "Show the tasks of this file.")
      ->check(TasksFileProblem);
  Text("--job", "JOB", options_.summary.job,
       "Show the tasks of this job of a cluster, from Google Datastore.")
      ->check(JobProblem);
  Text("--projectId", "PROJECT", options_.summary.project_id,
       "Project of the job. Default: the project of the credentials or of the VM.");
  Choice("--format", {"table", "json", "csv"}, options_.summary.format,
         "table for people; json or csv for programs.");
  command_->add_flag("--failed", options_.summary.failed,
                     "List only tasks that are failed or ended with an exit code other than 0. "
                     "The statistics are still about all tasks.");
  Choice("--sort", SortColumns(), options_.summary.sort,
         "Sort the tasks by this column. Default: the order of the file, or of the job.");
  command_->add_flag("--reverse", options_.summary.reverse, "Reverse the order of the tasks.");
  command_->callback([this] {
    const SummaryOptions& summary = options_.summary;
    if (summary.tasks_file.empty() && summary.job.empty()) {
      throw CLI::RequiredError("--tasksFile or --job");
    }
    if (!summary.tasks_file.empty() && !summary.job.empty()) {
      throw CLI::ValidationError("--job", "cannot be used with --tasksFile");
    }
  });
}

void CommandTable::DeclareWatching() {
  CLI::App* status = app_.add_subcommand("status", "Show how busy the machine of a worker is.");
  CLI::App* logs = app_.add_subcommand("logs", "Show what a task on a worker has printed.");
  for (CLI::App* command : {status, logs}) {
    command_ = command;
    Text("--address", "HOST:PORT", options_.watch.address, "Address of the worker's Monitor.")
        ->required()
        ->check(AddressProblem);
    Text("--certFile", "FILE", options_.watch.cert_file,
         "File with the certificate of the cluster (PEM).")
        ->required();
    Text("--secretFile", "FILE", options_.watch.secret_file,
         "File with the secret of the cluster. Default: the secret in the variable "
         "SPARKLES_MONITOR_SECRET.");
  }
  Text("--task", "ID", options_.watch.task, "Id of the task.")->required()->check(Utf8Problem);
  logs->add_flag("--follow", options_.watch.follow, "Print until the task has ended.");
  CLI::App* version =
      app_.add_subcommand("version", "Print version, commit and lane (the kind of build).");
  version->add_flag(
      "--verbose", options_.verbose_version,
      "Print the versions of the libraries and of the built-in CA certificates, too.");
  app_.add_subcommand("man", "Print the manual page: sparklesworker man | man -l -");
  app_.add_subcommand("completion",
                      "Print the completion script for bash: source <(sparklesworker completion)");
}

std::vector<std::string> FlagNames(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

std::string FlagValue(const CLI::Option& option) {
  return option.get_items_expected_min() > 0 ? option.get_type_name() : "";
}

std::string FlagHelp(const CLI::Option& option) {
  const std::string standard = option.get_default_str();
  return absl::StrCat(option.get_description(), option.get_required() ? " Required." : "",
                      standard.empty() ? "" : absl::StrCat(" Default: ", standard, "."));
}

}  // namespace sparkles
