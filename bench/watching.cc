// Measures the CPU time of the worker and its launcher while an idle command runs (samples,
// watchdog, claim), and the time of single parts.
#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/worker_metrics.h"
#include "bench/support/bench.h"
#include "process/machine_stats.h"
#include "process/oom_watch.h"
#include "process/process_tree.h"

namespace sparkles {
namespace {

constexpr int kSeconds = 20;
constexpr double kMaxShare = 0.001;  // of one core

double CpuSeconds(int who) {
  rusage usage{};
  getrusage(who, &usage);
  return absl::ToDoubleSeconds(absl::DurationFromTimeval(usage.ru_utime) +
                               absl::DurationFromTimeval(usage.ru_stime));
}

// The CPU seconds of a worker with one task.
double WorkerCpuSeconds(const Settings& settings, const std::string& parent,
                        const std::string& command) {
  WorkerRun run(settings, parent);
  run.AddTasks(1, command, /*delivers=*/false);
  const double before = CpuSeconds(RUSAGE_CHILDREN);
  run.Run({"--durable=false"});
  return CpuSeconds(RUSAGE_CHILDREN) - before;
}

template <typename Part>
void PrintPart(const std::string& what, int times, Part part) {
  const double before = CpuSeconds(RUSAGE_SELF);
  for (int i = 0; i < times; ++i) part();
  const double each = (CpuSeconds(RUSAGE_SELF) - before) / times;
  absl::PrintF("%-52s %10.3f us\n", what, each * 1e6);
}

void Measure(const Settings& settings) {
  const BenchDir bench_dir(DiskDirectory());
  std::vector<double> shares;
  for (int round = 0; round < settings.rounds; ++round) {
    const double idle =
        WorkerCpuSeconds(settings, bench_dir.path(), absl::StrCat("sleep ", kSeconds));
    const double none = WorkerCpuSeconds(settings, bench_dir.path(), "sleep 0");
    shares.push_back((idle - none) / kSeconds);
  }
  const double share = Median(shares);
  PrintLine("watching a command, of one core", absl::StrFormat("%.4f %%", 100 * share), "",
            absl::StrFormat("< %.1f %%", 100 * kMaxShare), share < kMaxShare);
  WorkerMetrics metrics;
  PrintPart("a sign of life", 10'000'000, [&] { metrics.heartbeat.Beat(); });
  PrintPart("two samples of the machine, and a thread", 200,
            [&] { MachineSampler(bench_dir.path()).Stop(); });
  PrintPart("a sample of all processes", 200, [] {
    UnrelatedPids none;
    (void)MeasureTree("/proc", getpid(), none);
  });
  UnrelatedPids unrelated;
  PrintPart("a sample without known unrelated", 200,
            [&] { (void)MeasureTree("/proc", getpid(), unrelated); });
  absl::PrintF("%-52s %10d\n", "  unrelated", unrelated.size());
  OomWatch oom;
  PrintPart("counts of kills, before and after a command", 200, [&] {
    oom.Begin();
    (void)oom.End();
  });
}

}  // namespace
}  // namespace sparkles

int main(int argc, char** argv) {
  const sparkles::Settings settings = sparkles::ParseSettings(argc, argv);
  sparkles::PrintLoad();
  sparkles::Measure(settings);
  return 0;
}
