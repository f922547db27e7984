#include "process/machine_stats.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <system_error>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/mutex.h"
#include "base/thread.h"

namespace sparkles {
namespace {

constexpr absl::Duration kPeriod = absl::Seconds(1);
// /proc/stat has a few hundred bytes a processor and one long line of interrupts.
constexpr size_t kMaxProcFile = 4 << 20;
// The kernel counts 100 ticks a second: over less than this many the percentage is noise.
constexpr int64_t kMinTicksPerProcessor = 10;

// The number of the line "NAME:   123 kB", in bytes.
std::optional<int64_t> KilobyteLine(absl::string_view line, absl::string_view name) {
  if (!absl::ConsumePrefix(&line, name) || !absl::ConsumePrefix(&line, ":")) return std::nullopt;
  absl::ConsumeSuffix(&line, "kB");
  int64_t kilobytes = 0;
  if (!absl::SimpleAtoi(line, &kilobytes) || kilobytes < 0) return std::nullopt;
  if (kilobytes > std::numeric_limits<int64_t>::max() / 1024) return std::nullopt;
  return kilobytes * 1024;
}

// The line "cpu  USER NICE SYSTEM IDLE IOWAIT IRQ SOFTIRQ STEAL GUEST GUEST_NICE".
std::optional<CpuTicks> ParseTotalLine(absl::string_view line) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
  // Guest time, from the ninth number on, is part of user time already.
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
  std::optional<int64_t> total;
  std::optional<int64_t> available;
  for (absl::string_view line : absl::StrSplit(meminfo, '\n')) {
    if (!total) total = KilobyteLine(line, "MemTotal");
    if (!available) available = KilobyteLine(line, "MemAvailable");
  }
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

void SampleSeries::Add(double value) {
  max_ = count_ == 0 ? value : std::max(max_, value);
  ++count_;
  group_sum_ += value;
  if (++group_count_ < stride_) return;
  means_.push_back(group_sum_ / static_cast<double>(group_count_));
  group_sum_ = 0;
  group_count_ = 0;
  if (means_.size() < capacity_) return;
  for (size_t i = 0; i < capacity_ / 2; ++i) means_[i] = (means_[2 * i] + means_[2 * i + 1]) / 2;
  means_.resize(capacity_ / 2);
  stride_ *= 2;
}

double SampleSeries::Percentile(double fraction) const {
  if (means_.empty()) return 0;
  std::vector<double> sorted = means_;
  std::sort(sorted.begin(), sorted.end());
  const double position = fraction * static_cast<double>(sorted.size() - 1);
  const double whole = std::floor(position);
  const size_t below = static_cast<size_t>(whole);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - whole);
}

// What the thread works on; only one thread at a time touches it.
class MachineSampler::Sampling {
 public:
  explicit Sampling(std::string proc_root) : proc_root_(std::move(proc_root)) {
    Sample();
    try {
      thread_ = StartHousekeeping("sampler", [this] {
        while (!WaitForStop(kPeriod)) Sample();
      });
    } catch (const std::system_error&) {
      thread_ = std::thread();  // none to be had: the first and the last sample must do
    }
  }

  ~Sampling() { Join(); }

  MachineStats Finish() {
    Join();
    Sample();
    MachineStats stats;
    stats.memory_total = memory_total_;
    stats.max_memory_in_use = std::llround(memory_.max());
    stats.p95_memory_in_use = std::llround(memory_.Percentile(0.95));
    stats.median_memory_in_use = std::llround(memory_.Percentile(0.5));
    stats.number_of_cpus = last_ticks_ ? last_ticks_->processors : 0;
    stats.max_user_cpu_percent_usage = user_percent_.max();
    stats.p95_user_cpu_percent_usage = user_percent_.Percentile(0.95);
    stats.median_user_cpu_percent_usage = user_percent_.Percentile(0.5);
    return stats;
  }

 private:
  void Join() {
    if (!thread_.joinable()) return;
    {
      MutexLock lock(mutex_);
      stopped_ = true;
    }
    stop_.NotifyAll();
    thread_.join();
  }

  // True once it is to stop. It may return early, which costs one sample more.
  bool WaitForStop(absl::Duration longest) {
    MutexLock lock(mutex_);
    if (!stopped_) stop_.WaitFor(mutex_, longest);
    return stopped_;
  }

  void Sample() {
    SampleMemory();
    SampleCpu();
  }

  void SampleMemory() {
    const absl::StatusOr<std::string> text = ReadFile(proc_root_ + "/meminfo", kMaxProcFile);
    const std::optional<MemoryInfo> info = ParseMemoryInfo(text.value_or(""));
    if (!info) return;
    memory_total_ = info->total_bytes;
    memory_.Add(static_cast<double>(info->total_bytes - info->available_bytes));
  }

  void SampleCpu() {
    const absl::StatusOr<std::string> text = ReadFile(proc_root_ + "/stat", kMaxProcFile);
    const std::optional<CpuTicks> ticks = ParseCpuTicks(text.value_or(""));
    if (!ticks) return;
    if (last_ticks_) {
      const int64_t passed = ticks->total - last_ticks_->total;
      const int64_t needed = kMinTicksPerProcessor * std::max(1, ticks->processors);
      // The last interval may be short; a task that is shorter still has no better one.
      if (passed <= 0 || (passed < needed && !user_percent_.empty())) return;
      const int64_t user = std::clamp<int64_t>(ticks->user - last_ticks_->user, 0, passed);
      user_percent_.Add(100.0 * static_cast<double>(user) / static_cast<double>(passed));
    }
    last_ticks_ = ticks;
  }

  const std::string proc_root_;
  int64_t memory_total_ = 0;
  SampleSeries memory_;
  SampleSeries user_percent_;
  std::optional<CpuTicks> last_ticks_;
  Mutex mutex_;
  CondVar stop_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

MachineSampler::MachineSampler(std::string proc_root)
    : sampling_(std::make_unique<Sampling>(std::move(proc_root))) {}

MachineSampler::~MachineSampler() = default;

MachineStats MachineSampler::Stop() { return sampling_->Finish(); }

}  // namespace sparkles
