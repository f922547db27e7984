// Runs the shipped worker for benches and prints tables of figures.
// Every error ends the bench.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"

namespace sparkles {

struct Settings {
  std::string binary;
  int rounds = 3;
  uint64_t megabytes = 2000;  // size of the one big file
};

// Parses a command line `BINARY [--rounds=N] [--megabytes=N]`.
Settings ParseSettings(int argc, char** argv);

[[noreturn]] void GiveUp(absl::string_view why);

template <typename T>
T OrExit(absl::StatusOr<T> value) {
  if (!value.ok()) GiveUp(value.status().message());
  return *std::move(value);
}
void OrExit(const absl::Status& status);

// The current time in seconds since 1970.
double Seconds();
double Median(std::vector<double> values);
// The directory for files of the bench: TMPDIR, or /tmp.
std::string DiskDirectory();

struct Ended {
  double start = 0;    // seconds since 1970
  double seconds = 0;  // until the process was waited for
  int64_t memory = 0;  // bytes; the maximum of the process and its children
};

// Runs a program to its end, which must be successful. Drops its stderr.
Ended RunProgram(std::vector<std::string> arguments);
Ended Shell(const std::string& command);

std::string MakeFreshDirectory(const std::string& parent);

// A directory for the files of several runs. Removes them only at the end, because ext4 without a
// journal is slow to create files for minutes after a large removal.
class BenchDir {
 public:
  explicit BenchDir(const std::string& parent) : path_(MakeFreshDirectory(parent)) {}
  ~BenchDir();
  BenchDir(const BenchDir&) = delete;
  BenchDir& operator=(const BenchDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

// One run of the worker on its own tasks, from a tasks file.
class WorkerRun {
 public:
  // Makes a directory in `parent`. The owner of `parent` removes it.
  WorkerRun(const Settings& settings, const std::string& parent);

  void AddTask(const Json& args);
  // Adds `count` tasks that run `command`. They deliver to a directory only if `delivers`.
  void AddTasks(int count, const std::string& command, bool delivers);

  // Adds `flags` to the worker's command line and puts `prefix` before it.
  Ended Run(const std::vector<std::string>& flags, std::vector<std::string> prefix = {});

  const std::string& path() const { return path_; }
  // The URL of the files that tasks deliver.
  std::string results_url() const { return "file://" + results_; }

  // The start of the only task's command in seconds since 1970. Its result.json must be in
  // results_url().
  double CommandStart() const { return ResultTime("start_time"); }
  double CommandEnd() const { return ResultTime("end_time"); }
  // The time when the task entered `state`. Fails if the task never had that state.
  double StateTime(const std::string& state) const;
  // The time from the end of the command to the end of the task.
  double DeliverySeconds() const { return StateTime("complete") - CommandEnd(); }

 private:
  std::string TasksPath() const { return path_ + "/tasks.json"; }
  double ResultTime(const char* field) const;

  const Settings& settings_;
  const std::string path_;
  const std::string results_;
  Json tasks_ = Json::array();
};

void PrintLine(const std::string& what, const std::string& figure, const std::string& baseline,
               const std::string& goal, bool met);
// `goal`: the maximum as a multiple of `baseline`, which is called `name`; 0: no goal.
void PrintRatio(const std::string& what, double ours, double baseline, const std::string& name,
                double goal);
std::string Milliseconds(double seconds);
// Prints the number of runnable processes, which explains noisy figures.
void PrintLoad();

}  // namespace sparkles
