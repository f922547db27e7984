#include "process/machine_stats.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/proc.h"
#include "base/thread.h"
#include "process/sample_pace.h"
#include "process/sample_series.h"

namespace sparkles {
namespace {

// The kernel counts 100 ticks a second. A percentage of fewer ticks than this is noise.
constexpr int64_t kMinTicksPerProcessor = 10;

// The value of the line "NAME:   123 kB", in bytes.
std::optional<int64_t> FindKilobytes(absl::string_view text, absl::string_view name) {
  const std::optional<int64_t> kilobytes = FindNumber(text, name);
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 1024;
  if (!kilobytes || *kilobytes < 0 || *kilobytes > kMost) return std::nullopt;
  return *kilobytes * 1024;
}

// Parses the line "cpu  USER NICE SYSTEM IDLE IOWAIT IRQ SOFTIRQ STEAL GUEST GUEST_NICE".
std::optional<CpuTicks> ParseTotalLine(absl::string_view line) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
  // User time already contains guest time, which starts at the ninth number.
  const size_t end = std::min<size_t>(fields.size(), 9);
  if (end < 5) return std::nullopt;
  CpuTicks ticks;
  for (size_t i = 1; i < end; ++i) {
    int64_t value = 0;
    if (!absl::SimpleAtoi(fields[i], &value) || value < 0) return std::nullopt;
    if (value > std::numeric_limits<int64_t>::max() / 16) return std::nullopt;
    ticks.total += value;
    if (i <= 2) ticks.user += value;
  }
  return ticks;
}

}  // namespace

std::optional<MemoryInfo> ParseMemoryInfo(absl::string_view meminfo) {
  const std::optional<int64_t> total = FindKilobytes(meminfo, "MemTotal");
  const std::optional<int64_t> available = FindKilobytes(meminfo, "MemAvailable");
  if (!total || !available) return std::nullopt;
  return MemoryInfo{*total, *available};
}

std::optional<CpuTicks> ParseCpuTicks(absl::string_view stat) {
  std::optional<CpuTicks> ticks;
  int processors = 0;
  for (absl::string_view line : absl::StrSplit(stat, '\n')) {
    absl::string_view rest = line;
    if (!absl::ConsumePrefix(&rest, "cpu") || rest.empty()) continue;
    if (rest.front() == ' ') {
      ticks = ParseTotalLine(line);
    } else {
      ++processors;
    }
  }
  if (ticks) ticks->processors = processors;
  return ticks;
}

// The samples and the thread that takes them. Only one thread at a time uses the members.
class MachineSampler::Sampling {
 public:
  Sampling(std::string directory, std::string proc_root, GpuSampler* gpus)
      : directory_(std::move(directory)), proc_root_(std::move(proc_root)), gpus_(gpus) {
    Sample();
    // If the system refuses a thread, there are only the first and the last sample.
    thread_.emplace("sampler", [this](const CancelToken& stop) {
      for (int i = 0; SystemClock().Sleep(SamplePace(i), stop); ++i) Sample();
    });
  }

  ~Sampling() {
    thread_.reset();
    if (gpus_ != nullptr) gpus_->End();
  }

  MachineStats Finish() {
    thread_.reset();
    SampleMachine();
    MachineStats stats;
    if (gpus_ != nullptr) stats.gpus = gpus_->End();
    stats.memory_total = memory_total_;
    stats.max_memory_in_use = std::llround(memory_.max());
    stats.p95_memory_in_use = std::llround(memory_.Percentile(0.95));
    stats.median_memory_in_use = std::llround(memory_.Percentile(0.5));
    stats.number_of_cpus = last_ticks_ ? last_ticks_->processors : 0;
    stats.max_user_cpu_percent_usage = user_percent_.max();
    stats.p95_user_cpu_percent_usage = user_percent_.Percentile(0.95);
    stats.median_user_cpu_percent_usage = user_percent_.Percentile(0.5);
    stats.samples = samples_;
    stats.least_free = least_free_;
    return stats;
  }

 private:
  void Sample() {
    SampleMachine();
    if (gpus_ != nullptr) gpus_->Sample();
  }

  void SampleMachine() {
    SampleMemory();
    SampleCpu();
    SampleDisk();
  }

  void SampleMemory() {
    const std::optional<MemoryInfo> info = ParseMemoryInfo(ReadProcFile(proc_root_ + "/meminfo"));
    if (!info) return;
    memory_total_ = info->total_bytes;
    memory_.Add(static_cast<double>(info->total_bytes - info->available_bytes));
    ++samples_;
  }

  void SampleDisk() {
    struct statvfs space;
    if (directory_.empty() || statvfs(directory_.c_str(), &space) != 0) return;
    // Some blocks are reserved for root.
    const auto blocks = geteuid() == 0 ? space.f_bfree : space.f_bavail;
    const auto bytes = static_cast<int64_t>(blocks * space.f_frsize);
    if (!least_free_.known || bytes < least_free_.bytes) least_free_.bytes = bytes;
    least_free_.known = true;
    // f_files is 0 on file systems that do not count inodes.
    if (space.f_files > 0 && space.f_favail == 0) least_free_.no_inodes = true;
  }

  void SampleCpu() {
    const std::optional<CpuTicks> ticks = ParseCpuTicks(ReadProcFile(proc_root_ + "/stat"));
    if (!ticks) return;
    if (last_ticks_) {
      const int64_t passed = ticks->total - last_ticks_->total;
      const int64_t needed = kMinTicksPerProcessor * std::max(1, ticks->processors);
      if (passed < 0) last_ticks_ = ticks;  // a container has moved to another machine
      // A short interval is used only if there is no other.
      if (passed <= 0 || (passed < needed && !user_percent_.empty())) return;
      const int64_t user = std::clamp<int64_t>(ticks->user - last_ticks_->user, 0, passed);
      user_percent_.Add(100.0 * static_cast<double>(user) / static_cast<double>(passed));
    }
    last_ticks_ = ticks;
  }

  const std::string directory_;
  const std::string proc_root_;
  GpuSampler* const gpus_;
  int64_t memory_total_ = 0;
  int64_t samples_ = 0;
  DiskSpace least_free_;
  SampleSeries memory_;
  SampleSeries user_percent_;
  std::optional<CpuTicks> last_ticks_;
  std::optional<Housekeeper> thread_;
};

MachineSampler::MachineSampler(std::string directory, std::string proc_root, GpuSampler* gpus)
    : sampling_(std::make_unique<Sampling>(std::move(directory), std::move(proc_root), gpus)) {}

MachineSampler::~MachineSampler() = default;

MachineStats MachineSampler::Stop() { return sampling_->Finish(); }

}  // namespace sparkles
