#include "process/gpu_record.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/text.h"

namespace sparkles {
namespace {

// A real line has less than 100 bytes.
constexpr size_t kMaxLine = 1024;
constexpr size_t kMaxName = 100;
constexpr int64_t kMebibyte = 1 << 20;
// 1 PiB, which is much more than any GPU has.
constexpr int64_t kMaxMebibytes = 1 << 30;

// The number in `field`, if it is from 0 to `most`.
std::optional<int64_t> ParseNumber(absl::string_view field, int64_t most) {
  int64_t number = 0;
  if (!absl::SimpleAtoi(field, &number) || number < 0 || number > most) return std::nullopt;
  return number;
}

std::optional<int64_t> ParseMemory(absl::string_view field) {
  const std::optional<int64_t> mebibytes = ParseNumber(field, kMaxMebibytes);
  if (!mebibytes) return std::nullopt;
  return *mebibytes * kMebibyte;
}

std::string NameIn(absl::string_view text) {
  return PrintableText(CutText(absl::StripAsciiWhitespace(text), kMaxName));
}

}  // namespace

std::optional<GpuSample> ParseGpuLine(absl::string_view line) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ',');
  if (fields.size() < 5) return std::nullopt;
  const auto index = ParseNumber(fields.front(), kMaxGpus - 1);
  if (!index) return std::nullopt;
  const absl::string_view* const last = &fields.back();
  GpuSample sample;
  sample.index = static_cast<int>(*index);
  // The name is all text between the first field and the last three.
  const char* const name_end = last[-3].data() + last[-3].size();
  sample.name = NameIn({fields[1].data(), static_cast<size_t>(name_end - fields[1].data())});
  sample.memory_total = ParseMemory(last[-2]);
  sample.memory_used = ParseMemory(last[-1]);
  if (const auto percent = ParseNumber(last[0], 100)) {
    sample.utilization = static_cast<int>(*percent);
  }
  if (sample.memory_total && sample.memory_used > sample.memory_total) sample.memory_used.reset();
  if (!sample.memory_total && !sample.memory_used && !sample.utilization) return std::nullopt;
  return sample;
}

void GpuRecord::Add(absl::string_view text) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const absl::string_view part = text.substr(0, end);
    skips_line_ = skips_line_ || line_.size() + part.size() > kMaxLine;
    if (skips_line_) {
      line_.clear();
    } else {
      line_.append(part.data(), part.size());
    }
    if (end == absl::string_view::npos) return;
    AddLine(line_);
    line_.clear();
    skips_line_ = false;
    text.remove_prefix(end + 1);
  }
}

void GpuRecord::AddLine(absl::string_view line) {
  const std::optional<GpuSample> sample = ParseGpuLine(line);
  if (!sample) return;
  const auto index = static_cast<size_t>(sample->index);
  Gpu& gpu = gpus_[index];
  if (gpu.samples++ == 0) gpu.name = sample->name;
  if (sample->memory_total) gpu.memory_total = sample->memory_total;
  gpu.max_memory_used = std::max(gpu.max_memory_used, sample->memory_used);  // absent is less
  if (sample->utilization) gpu.utilization.Add(*sample->utilization);
  GpuGauge& gauge = gauges_[index];
  gauge.memory_total = sample->memory_total.value_or(GpuGauge::kUnknown);
  gauge.memory_used = sample->memory_used.value_or(GpuGauge::kUnknown);
  gauge.utilization = sample->utilization.value_or(GpuGauge::kUnknown);
}

std::vector<GpuUsage> GpuRecord::Usage() const {
  std::vector<GpuUsage> all;
  for (int index = 0; index < kMaxGpus; ++index) {
    const Gpu& gpu = gpus_[static_cast<size_t>(index)];
    if (gpu.samples == 0) continue;
    GpuUsage usage;
    usage.index = index;
    usage.name = gpu.name;
    usage.memory_total = gpu.memory_total;
    usage.max_memory_used = gpu.max_memory_used;
    if (!gpu.utilization.empty()) {
      usage.max_gpu_percent_usage = gpu.utilization.max();
      usage.median_gpu_percent_usage = gpu.utilization.Percentile(0.5);
    }
    usage.samples = gpu.samples;
    all.push_back(std::move(usage));
  }
  return all;
}

}  // namespace sparkles
