// Simulates a job of one hour that is preempted once, at a random time, and prints the mean work
// that is lost, with and without checkpoints. Time is simulated; saves and restores are real.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "bench/support/bench.h"
#include "checkpoint/restorer.h"
#include "checkpoint/saver.h"
#include "storage/local_store.h"
#include "tests/support/fake_clock.h"

namespace sparkles {
namespace {

constexpr int kRuns = 1000;
constexpr int kJob = 3600;  // seconds of work
constexpr int kWrite = 60;  // the command writes its state so often
constexpr int kSave = 300;  // --checkpointEvery
constexpr double kMaxLoss = kSave + kWrite;

CheckpointIdentity IdentityOf(int attempt) {
  CheckpointIdentity identity;
  identity.attempt = attempt;
  identity.spec_sha256 = std::string(64, '0');
  identity.task_created = absl::UnixEpoch();
  return identity;
}

// The way in which a machine is lost.
enum class Loss {
  kNotice,  // a preemption with notice: the worker saves once more after the command's end
  kTold,    // ... and the command writes its state when it gets TERM
  kSudden,  // kill -9, or a VM that vanishes
};

class Job {
 public:
  explicit Job(std::string directory) : directory_(std::move(directory)) {
    // Ahead of the times of all files, so that no file is too young for a save.
    clock_.Advance(absl::Now() + absl::Hours(1000) - clock_.Now());
  }

  // Seconds of work that the second attempt repeats if the first one ends after `end` seconds.
  int Lost(int end, Loss loss) {
    const std::string first = Fresh("first");
    const Activity activity;
    CheckpointSaver saver(
        {.directory = first, .url = url(), .identity = IdentityOf(1), .transfers = 1}, store_,
        clock_, [](const CancelToken&) { return absl::OkStatus(); });
    for (int second = 1; second < end; ++second) {
      if (second % kWrite == 0) Write(first, second);
      if (second % kSave == 0) OrExit(saver.Save({.data = activity, .manifest = activity}));
    }
    if (loss == Loss::kTold) Write(first, end);
    if (loss != Loss::kSudden) {
      OrExit(saver.Save({.data = activity, .manifest = activity, .hurry = true}));
    }
    const std::string second = Fresh("second");
    OrExit(RestoreCheckpoint(
        {.directory = second, .url = url(), .identity = IdentityOf(2), .transfers = 1}, store_,
        clock_, activity));
    int done = 0;
    if (const auto state = ReadFile(second + "/state", 100); state.ok()) {
      (void)absl::SimpleAtoi(*state, &done);
    }
    OrExit(RemoveTree(directory_ + "/store"));
    return end - done;
  }

 private:
  std::string url() const { return absl::StrCat("file://", directory_, "/store"); }
  std::string Fresh(const std::string& name) const {
    const std::string path = absl::StrCat(directory_, "/", name);
    OrExit(RemoveTree(path));
    OrExit(MakeDirectories(path));
    return path;
  }
  static void Write(const std::string& directory, int second) {
    OrExit(WriteFileAtomically(directory + "/state", absl::StrCat(second), false));
  }

  const std::string directory_;
  LocalStore store_{/*durable=*/false};
  FakeClock clock_;
};

std::string Minutes(double seconds) { return absl::StrFormat("%.1f min", seconds / 60); }

// The time to find out that none of 10,000 files has changed.
void MeasureScan(const std::string& parent) {
  constexpr int kFiles = 10'000;
  constexpr int kRounds = 5;
  const std::string directory = parent + "/many";
  OrExit(MakeDirectories(directory));
  for (int i = 0; i < kFiles; ++i) {
    OrExit(WriteFileAtomically(absl::StrCat(directory, "/", i), "x", false));
  }
  KnownFiles known;
  const Scan first = OrExit(ScanCheckpoint(directory));
  for (const ScannedFile& file : first.files) {
    known[file.path] = {.saved = {}, .stamp = file.stamp, .stamp_is_sure = true};
  }
  std::vector<double> seconds;
  for (int round = 0; round < kRounds; ++round) {
    const double start = Seconds();
    if (!ChangedFiles(OrExit(ScanCheckpoint(directory)), known).empty()) GiveUp("a file changed");
    seconds.push_back(Seconds() - start);
  }
  const double share = Median(seconds) / kSave;
  PrintLine("a look at 10,000 unchanged files", Milliseconds(Median(seconds)),
            absl::StrFormat("%.3f%% of a core", 100 * share), "under 1%", share < 0.01);
}

int Run() {
  const BenchDir directory("/dev/shm");  // the disk is not what is measured
  Job job(directory.path());
  std::minstd_rand random(1);
  std::uniform_int_distribution<> moment(1, kJob - 1);
  double without = 0;
  double notice = 0;
  double told = 0;
  double sudden = 0;
  double worst = 0;
  for (int run = 0; run < kRuns; ++run) {
    const int end = moment(random);
    without += end;
    notice += job.Lost(end, Loss::kNotice);
    told += job.Lost(end, Loss::kTold);
    const double lost = job.Lost(end, Loss::kSudden);
    sudden += lost;
    worst = std::max(worst, lost);
  }
  const std::string before = absl::StrCat("without: ", Minutes(without / kRuns));
  const auto print = [&](const std::string& what, double sum) {
    PrintLine(what, Minutes(sum / kRuns), before, absl::StrCat("under ", Minutes(kMaxLoss)),
              sum / kRuns < kMaxLoss);
  };
  print("mean work lost, preempted, writes on TERM", told);
  print("mean work lost, preempted, writes every minute", notice);
  print("mean work lost, kill -9, saved every 5 minutes", sudden);
  PrintLine("most work lost, kill -9", Minutes(worst), "",
            absl::StrCat("under ", Minutes(kMaxLoss)), worst <= kMaxLoss);
  MeasureScan(directory.path());
  return 0;
}

}  // namespace
}  // namespace sparkles

int main() { return sparkles::Run(); }
