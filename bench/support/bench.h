// What the benches share: the shipped worker run on tasks of their own, and tables of figures.
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
  uint64_t megabytes = 2000;  // of the one big file
};

// Of a command line `BINARY [--rounds=N] [--megabytes=N]`.
Settings ParseSettings(int argc, char** argv);

[[noreturn]] void GiveUp(absl::string_view why);

template <typename T>
T OrGiveUp(absl::StatusOr<T> value) {
  if (!value.ok()) GiveUp(value.status().message());
  return *std::move(value);
}
void OrGiveUp(const absl::Status& status);

// Since 1970.
double Seconds();
double Median(std::vector<double> values);
// Where files of the bench go: TMPDIR, or /tmp.
std::string DiskFolder();

struct Ended {
  double start = 0;    // seconds since 1970
  double seconds = 0;  // until it was waited for
  int64_t memory = 0;  // bytes; the largest of the process and all that it waited for
};

// Runs a program to its end, which must be a good one. Its stderr is dropped.
Ended RunProgram(std::vector<std::string> arguments);
Ended Shell(const std::string& command);

std::string MakeFreshFolder(const std::string& parent);

// Where the folders of several runs go, all removed at the end: ext4 without a journal is slow to
// make files for minutes after many were removed.
class Ground {
 public:
  explicit Ground(const std::string& parent) : path_(MakeFreshFolder(parent)) {}
  ~Ground();
  Ground(const Ground&) = delete;
  Ground& operator=(const Ground&) = delete;
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

// One run of the worker on tasks of its own, from a file.
class WorkerRun {
 public:
  // Makes a folder in `parent`, which has to remove it.
  WorkerRun(const Settings& settings, const std::string& parent);

  void AddTask(const Json& args);
  // `count` tasks that run `command`; they deliver to a folder only if `delivers`.
  void AddTasks(int count, const std::string& command, bool delivers);

  // `flags` are added to the worker's command line, `prefix` is put before it.
  Ended Run(const std::vector<std::string>& flags, std::vector<std::string> prefix = {});

  const std::string& path() const { return path_; }
  // Where a task that delivers leaves its files, as a URL.
  std::string results_url() const { return "file://" + results_; }

  // Of the one task, whose result.json must be in results_url(). Seconds since 1970.
  double CommandStart() const { return UsageTime("start_time"); }
  double CommandEnd() const { return UsageTime("end_time"); }
  // When the task came into that state, which it must have been in.
  double StateTime(const std::string& state) const;
  // From the end of its command to the end of the task.
  double DeliverySeconds() const { return StateTime("complete") - CommandEnd(); }

 private:
  std::string TasksPath() const { return path_ + "/tasks.json"; }
  double UsageTime(const char* field) const;

  const Settings& settings_;
  const std::string path_;
  const std::string results_;
  Json tasks_ = Json::array();
};

void PrintLine(const std::string& what, const std::string& figure, const std::string& baseline,
               const std::string& goal, bool met);
// `goal`: at most so many times `baseline`, called `name`; 0: there is none.
void PrintRatio(const std::string& what, double ours, double baseline, const std::string& name,
                double goal);
std::string Milliseconds(double seconds);
// How many processes want to run now, for readers who wonder about the figures.
void PrintLoad();

}  // namespace sparkles
