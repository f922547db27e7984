// Measures tasks with very many files: the time for each file must not grow with their number.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/text.h"
#include "bench/support/bench.h"

namespace sparkles {
namespace {

constexpr int kCounts[] = {1'000, 10'000, 100'000};
constexpr int kFilesInDirectory = 1'000;
constexpr double kMaxGrowth = 1.5;  // of the time for a file, compared to the smallest task
constexpr char kQuick[] = "--durable=false";

// Makes `count` files of 1 KB, 1,000 in each directory.
std::string MakeFilesCommand(int count) {
  return absl::StrCat("for d in $(seq ", count / kFilesInDirectory,
                      "); do mkdir d$d && head -c 1024000 /dev/urandom | "
                      "split -b 1024 -a 3 -d - d$d/file; done");
}

std::string FileName(int number) {
  return absl::StrFormat("d%d/file%03d", number / kFilesInDirectory + 1,
                         number % kFilesInDirectory);
}

struct Measured {
  double seconds = 0;  // for a file
  int64_t memory = 0;
};

// Runs a task with `count` inputs. The task has its spec by URL, because it is too large for an
// entity.
Ended RunWithInputs(const Settings& settings, const std::string& parent, int count) {
  WorkerRun run(settings, parent);
  const std::string inputs = run.path() + "/inputs";
  Shell(absl::StrCat("mkdir ", inputs, " && cd ", inputs, " && ", MakeFilesCommand(count)));
  Json downloads = Json::array();
  for (int i = 0; i < count; ++i) {
    downloads.push_back(
        {{"src_url", absl::StrCat("file://", inputs, "/", FileName(i))}, {"dst", FileName(i)}});
  }
  const std::string spec = run.path() + "/spec.json";
  OrExit(WriteFileAtomically(
      spec, DumpJson(Json{{"command", "true"}, {"downloads", std::move(downloads)}}), false));
  run.AddTask("file://" + spec);
  const Ended ended = run.Run({kQuick, "--keepTasks"});
  (void)run.StateTime("complete");
  return ended;
}

// Excludes the worker's start and end, which take longer than 1,000 inputs.
Measured MeasureInputs(const Settings& settings, const std::string& parent, int count) {
  const double idle = RunWithInputs(settings, parent, 0).seconds;
  const Ended ended = RunWithInputs(settings, parent, count);
  return {(ended.seconds - idle) / count, ended.memory};
}

Measured MeasureOutputs(const Settings& settings, const std::string& parent, int count) {
  WorkerRun run(settings, parent);
  run.AddTasks(1, MakeFilesCommand(count), /*delivers=*/true);
  const Ended ended = run.Run({kQuick, "--keepTasks"});
  return {run.DeliverySeconds() / count, ended.memory};
}

template <typename Measure>
void MeasureGrowth(const std::string& what, const Settings& settings, Measure measure) {
  double fewest = 0;
  for (const int count : kCounts) {
    std::vector<double> seconds;
    int64_t memory = 0;
    for (int round = 0; round < settings.rounds; ++round) {
      const BenchDir bench_dir(DiskDirectory());
      const Measured measured = measure(settings, bench_dir.path(), count);
      seconds.push_back(measured.seconds);
      memory = std::max(memory, measured.memory);
    }
    const double median = Median(seconds);
    if (fewest == 0) fewest = median;
    PrintLine(absl::StrFormat("%s, %d files: each", what, count), Milliseconds(median),
              absl::StrFormat("%.2f x that of %d; peak memory %s", median / fewest, kCounts[0],
                              HumanBytes(static_cast<double>(memory))),
              absl::StrCat("<= ", kMaxGrowth, " x"), median <= kMaxGrowth * fewest);
  }
}

int Run(int argc, char** argv) {
  const Settings settings = ParseSettings(argc, argv);
  PrintLoad();
  MeasureGrowth("inputs by copy", settings, MeasureInputs);
  MeasureGrowth("outputs to a directory", settings, MeasureOutputs);
  return 0;
}

}  // namespace
}  // namespace sparkles

int main(int argc, char** argv) { return sparkles::Run(argc, argv); }
