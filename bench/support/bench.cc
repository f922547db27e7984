#include "bench/support/bench.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/file.h"

namespace sparkles {

Settings ParseSettings(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    bool ok = true;
    if (absl::ConsumePrefix(&argument, "--rounds=")) {
      ok = absl::SimpleAtoi(argument, &settings.rounds) && settings.rounds > 0;
    } else if (absl::ConsumePrefix(&argument, "--megabytes=")) {
      ok = absl::SimpleAtoi(argument, &settings.megabytes) && settings.megabytes > 0;
    } else {
      settings.binary = std::string(argument);
    }
    if (!ok) settings.binary.clear();
  }
  if (settings.binary.empty()) {
    GiveUp(absl::StrCat("usage: ", argv[0], " BINARY [--rounds=N] [--megabytes=N]"));
  }
  return settings;
}

void GiveUp(absl::string_view why) {
  fprintf(stderr, "bench: %s\n", std::string(why).c_str());
  exit(1);
}

void OrExit(const absl::Status& status) {
  if (!status.ok()) GiveUp(status.message());
}

double Seconds() { return absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()); }

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::string DiskDirectory() {
  const char* const temp = getenv("TMPDIR");
  return temp != nullptr ? temp : "/tmp";
}

Ended RunProgram(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  Ended ended;
  ended.start = Seconds();
  const pid_t pid = fork();
  if (pid == 0) {
    const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0) dup2(null, STDERR_FILENO);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  int status = -1;
  rusage usage{};
  if (pid < 0 || wait4(pid, &status, 0, &usage) != pid || status != 0) {
    GiveUp(absl::StrCat(arguments[0], " ", arguments[1], ": ended with wait status ", status));
  }
  ended.seconds = Seconds() - ended.start;
  ended.memory = int64_t{usage.ru_maxrss} * 1024;
  return ended;
}

Ended Shell(const std::string& command) { return RunProgram({"/bin/sh", "-c", command}); }

std::string MakeFreshDirectory(const std::string& parent) {
  std::string path = parent + "/sparkles-bench-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) GiveUp(path + ": cannot be made");
  return path;
}

BenchDir::~BenchDir() { OrExit(RemoveTree(path_)); }

WorkerRun::WorkerRun(const Settings& settings, const std::string& parent)
    : settings_(settings), path_(MakeFreshDirectory(parent)), results_(path_ + "/results") {}

void WorkerRun::AddTask(const Json& args) {
  tasks_.push_back({{"task_id", absl::StrCat("task.", tasks_.size())}, {"args", args}});
}

void WorkerRun::AddTasks(int count, const std::string& command, bool delivers) {
  for (int i = 0; i < count; ++i) {
    Json args = {{"command", command}};
    if (delivers) {
      args["uploads"] = {{"include_patterns", Json::array({"**"})}, {"dst_url", results_url()}};
      args["stdout_url"] = results_url() + "/stdout.txt";
      args["command_result_url"] = results_url() + "/result.json";
    }
    AddTask(args);
  }
}

Ended WorkerRun::Run(const std::vector<std::string>& flags, std::vector<std::string> prefix) {
  OrExit(WriteFileAtomically(TasksPath(), DumpJson(tasks_), /*durable=*/false));
  std::vector<std::string> line = std::move(prefix);
  line.insert(line.end(), {settings_.binary, "consume", "--tasksFile=" + TasksPath(),
                           "--tasksDir=" + path_ + "/tasks", "--cacheDir=" + path_ + "/cache"});
  line.insert(line.end(), flags.begin(), flags.end());
  return RunProgram(std::move(line));
}

double WorkerRun::StateTime(const std::string& state) const {
  const std::string changes = OrExit(ReadFile(TasksPath() + ".state", 1 << 20));
  for (const absl::string_view line : absl::StrSplit(changes, '\n', absl::SkipEmpty())) {
    const Json change = OrExit(ParseJson(line));
    if (change.value("status", "") == state) return change.at("timestamp").get<double>();
  }
  GiveUp("the task was never " + state);
}

double WorkerRun::ResultTime(const char* field) const {
  const Json result = OrExit(ParseJson(OrExit(ReadFile(results_ + "/result.json", 1 << 28))));
  if (!result.contains("resource_usage")) GiveUp(result.value("failure_reason", "no usage"));
  return result.at("resource_usage").at(field).get<double>();
}

void PrintLine(const std::string& what, const std::string& figure, const std::string& baseline,
               const std::string& goal, bool met) {
  absl::PrintF("%-52s %10s  %-36s %-8s %s\n", what, figure, baseline, goal,
               goal.empty() ? "" : (met ? "met" : "MISSED"));
  (void)fflush(stdout);
}

std::string Milliseconds(double seconds) { return absl::StrFormat("%.2f ms", seconds * 1000); }

void PrintRatio(const std::string& what, double ours, double baseline, const std::string& name,
                double goal) {
  PrintLine(what, Milliseconds(ours),
            absl::StrFormat("%.2f x %s (%s)", ours / baseline, name, Milliseconds(baseline)),
            goal > 0 ? absl::StrCat("<= ", goal, " x") : "", ours <= goal * baseline);
}

void PrintLoad() {
  double load = 0;
  (void)getloadavg(&load, 1);
  absl::PrintF(
      "%.1f processes want to run on %d processors now: with other work the figures are noise\n",
      load, sysconf(_SC_NPROCESSORS_ONLN));
}

}  // namespace sparkles
