// Measures the shipped worker in local mode, in turns with a baseline for each figure.
// The baseline is fork+exec+wait for the overhead of a task, and cp for the delivery of its
// outputs. The time of a delivery comes from the times that the worker records (end of the command
// in result.json, end of the task in the state), so it excludes the creation of the outputs and the
// worker's start.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "bench/support/bench.h"

namespace sparkles {
namespace {

constexpr int kTasks = 200;
constexpr int kDurableTasks = 50;
constexpr char kManyFiles[] =
    "for d in 0 1 2 3 4 5 6 7 8 9; do mkdir d$d && "
    "head -c 1024000 /dev/urandom | split -b 1024 -a 3 -d - d$d/file; done && sync -f .";
constexpr char kQuick[] = "--durable=false";
constexpr double kMaxOverhead = 3;          // times fork+exec+wait
constexpr double kLeastSlotGain = 3;        // of 8 slots
constexpr double kMaxManyFiles = 2;         // times cp -r
constexpr double kMaxOneFile = 1.3;         // times cp
constexpr double kMaxStart = 0.020;         // seconds
constexpr int64_t kMaxMemory = 16'000'000;  // bytes

double TaskSeconds(const Settings& settings, const std::string& parent, int count,
                   const std::vector<std::string>& flags) {
  WorkerRun run(settings, parent);
  run.AddTasks(count, "true", /*delivers=*/false);
  return run.Run(flags).seconds / count;
}

// Returns the time of fork+exec+wait in seconds.
double MeasureOverhead(const Settings& settings, const std::string& parent) {
  std::vector<double> bare;
  std::vector<double> quick;
  std::vector<double> durable;
  for (int round = 0; round < settings.rounds; ++round) {
    const double start = Seconds();
    for (int i = 0; i < kTasks; ++i) Shell("true");
    bare.push_back((Seconds() - start) / kTasks);
    quick.push_back(TaskSeconds(settings, parent, kTasks, {kQuick}));
    durable.push_back(TaskSeconds(settings, parent, kDurableTasks, {}));
  }
  PrintRatio("a task `true`", Median(quick), Median(bare), "fork+exec+wait", kMaxOverhead);
  PrintRatio("the same, durable", Median(durable), Median(bare), "fork+exec+wait", 0);
  return Median(bare);
}

// The gain of eight slots depends on the processors, and on how long a sync takes.
void MeasureSlots(const Settings& settings, const std::string& parent) {
  constexpr int kSlotTasks = 400;
  for (const bool durable : {false, true}) {
    std::vector<std::string> flags;
    if (!durable) flags.push_back(kQuick);
    std::vector<double> one;
    std::vector<double> eight;
    for (int round = 0; round < settings.rounds; ++round) {
      one.push_back(TaskSeconds(settings, parent, kSlotTasks, flags));
      flags.push_back("--slots=8");
      eight.push_back(TaskSeconds(settings, parent, kSlotTasks, flags));
      flags.pop_back();
    }
    PrintLine(
        durable ? "durable tasks `true`, 8 slots" : "tasks `true`, 8 slots",
        absl::StrFormat("%.0f/s", 1 / Median(eight)),
        absl::StrFormat("%.1f x one slot (%.0f/s)", Median(one) / Median(eight), 1 / Median(one)),
        absl::StrCat(">= ", kLeastSlotGain, " x"), Median(one) >= kLeastSlotGain * Median(eight));
  }
}

// Counts in strace's output of a run of `count` tasks.
int CountSyncs(const Settings& settings, const std::string& parent, int count, bool delivers) {
  WorkerRun run(settings, parent);
  run.AddTasks(count, "true", delivers);
  const std::string listing = run.path() + "/strace";
  run.Run({}, {"strace", "-f", "-qq", "-e", "trace=fsync,fdatasync,syncfs", "-e", "signal=none",
               "-o", listing});
  int syncs = 0;
  for (absl::string_view line : absl::StrSplit(OrExit(ReadFile(listing, 1 << 20)), '\n')) {
    if (absl::StrContains(line, "sync(") || absl::StrContains(line, "syncfs(")) ++syncs;
  }
  return syncs;
}

void PrintSyncs(const Settings& settings, const std::string& parent) {
  if (access("/usr/bin/strace", X_OK) != 0) {
    absl::PrintF("syncs of a durable task: not counted, strace is not installed\n");
    return;
  }
  for (const bool delivers : {false, true}) {
    const int more = CountSyncs(settings, parent, 11, delivers);
    const int syncs = (more - CountSyncs(settings, parent, 1, delivers)) / 10;
    absl::PrintF("%-52s %10d  %s\n",
                 delivers ? "syncs of a durable task that delivers" : "syncs of a durable task",
                 syncs,
                 delivers ? "stdout.txt, result.json, the directory of each, the state"
                          : "the state, so that the task does not run again");
  }
}

// `bare`: the time of fork+exec+wait, which shows how busy the machine is.
void MeasureStart(const Settings& settings, const std::string& parent, double bare) {
  std::vector<double> starts;
  for (int round = 0; round < 4 * settings.rounds; ++round) {
    WorkerRun run(settings, parent);
    run.AddTasks(1, "true", /*delivers=*/true);
    const Ended ended = run.Run({kQuick});
    starts.push_back(run.CommandStart() - ended.start);
  }
  const double start = Median(starts);
  PrintLine("from fork of the worker to its first command", Milliseconds(start),
            absl::StrFormat("%.2f x fork+exec+wait", start / bare),
            absl::StrFormat("< %.0f ms", kMaxStart * 1000), start < kMaxStart);
}

// One way to deliver an output, and the copy to compare it with.
struct Manner {
  std::string name;
  std::vector<std::string> flags;
  std::string copy;  // copies "a" to "b"
  bool has_goal = false;
};

double CopySeconds(const std::string& parent, const std::string& command, const Manner& manner) {
  const std::string path = MakeFreshDirectory(parent);
  Shell(absl::StrCat("mkdir ", path, "/a && cd ", path, "/a && ", command));
  const double start = Seconds();
  Shell(absl::StrCat("cd ", path, " && ", manner.copy));
  return Seconds() - start;
}

int64_t MeasureDelivery(const Settings& settings, const std::string& parent,
                        const std::string& what, const std::string& command, double goal,
                        bool removes_late) {
  // The first entry keeps the task's directory, because cp does not remove its source either.
  const Manner manners[] = {
      {"", {kQuick, "--keepTasks"}, "cp -r a b", true},
      {", durable", {"--keepTasks"}, "cp -r a b && sync -f b"},
      {", task directory removed", {kQuick}, "cp -r a b && rm -r a"},
  };
  int64_t memory = 0;
  for (const Manner& manner : manners) {
    std::vector<double> copies;
    std::vector<double> deliveries;
    // A virtual machine's memory is slow at its first use and again after a pause. So one round
    // only warms it up, then the two sides take turns in going first, and big files are removed at
    // once.
    for (int turn = -2; turn < 2 * settings.rounds; ++turn) {
      std::optional<BenchDir> own;
      if (!removes_late) own.emplace(parent);
      const std::string& bench_dir = own ? own->path() : parent;
      const bool ours = (turn + (turn >> 1)) % 2 != 0;
      double seconds = 0;
      if (ours) {
        WorkerRun run(settings, bench_dir);
        run.AddTasks(1, command, /*delivers=*/true);
        memory = std::max(memory, run.Run(manner.flags).memory);
        seconds = run.DeliverySeconds();
      } else {
        seconds = CopySeconds(bench_dir, command, manner);
      }
      if (turn >= 0) (ours ? deliveries : copies).push_back(seconds);
    }
    PrintRatio(what + manner.name, Median(deliveries), Median(copies), manner.copy,
               manner.has_goal ? goal : 0);
  }
  return memory;
}

bool CanShareBlocks(const std::string& parent) {
  const BenchDir bench_dir(parent);
  OrExit(WriteFileAtomically(bench_dir.path() + "/a", std::string(1 << 20, 'a'), true));
  const UniqueFd from = OrExit(OpenFile(bench_dir.path() + "/a", O_RDONLY));
  const UniqueFd to = OrExit(OpenFile(bench_dir.path() + "/b", O_RDWR | O_CREAT));
  return ioctl(to.get(), FICLONE, from.get()) == 0;
}

void MeasureIn(const Settings& settings, const std::string& parent) {
  absl::PrintF("\nin %s (blocks can%s be shared between files)\n", parent,
               CanShareBlocks(parent) ? "" : "not");
  const BenchDir bench_dir(parent);
  MeasureStart(settings, bench_dir.path(), MeasureOverhead(settings, bench_dir.path()));
  MeasureSlots(settings, bench_dir.path());
  int64_t memory = MeasureDelivery(settings, bench_dir.path(), "delivery of 10,000 outputs of 1 KB",
                                   kManyFiles, kMaxManyFiles, /*removes_late=*/true);
  const uint64_t bytes = settings.megabytes * 1'000'000;
  struct statvfs disk;
  if (statvfs(parent.c_str(), &disk) != 0) GiveUp(parent + ": statvfs fails");
  const std::string size = HumanBytes(static_cast<double>(bytes));
  if (disk.f_bavail * disk.f_frsize < 4 * bytes) {
    absl::PrintF("delivery of one output of %s: no room for it\n", size);
  } else {
    const std::string command = absl::StrCat("yes 'ACGTTGCAACGTTGCAACGTTGCAACGTTGCA' | head -c ",
                                             bytes, " > big && sync -f .");
    memory = std::max(memory, MeasureDelivery(settings, parent, "delivery of one output of " + size,
                                              command, kMaxOneFile, /*removes_late=*/false));
  }
  PrintLine("peak memory of the worker, at most", HumanBytes(static_cast<double>(memory)),
            "its commands included", "< " + HumanBytes(static_cast<double>(kMaxMemory)),
            memory < kMaxMemory);
}

int Run(int argc, char** argv) {
  const Settings settings = ParseSettings(argc, argv);
  absl::PrintF(
      "medians of %d rounds, each with its baseline in turn; without fsync unless durable\n",
      settings.rounds);
  PrintLoad();
  const std::string disk = DiskDirectory();
  MeasureIn(settings, disk);
  {
    const BenchDir bench_dir(disk);
    PrintSyncs(settings, bench_dir.path());
  }
  if (disk != "/dev/shm" && access("/dev/shm", W_OK) == 0) MeasureIn(settings, "/dev/shm");
  return 0;
}

}  // namespace
}  // namespace sparkles

int main(int argc, char** argv) { return sparkles::Run(argc, argv); }
