#include "process/sample_series.h"

#include <algorithm>
#include <cmath>

namespace sparkles {
namespace {

constexpr double kError = 0.005;
// The ratio of two neighbouring classes. The middle of a class is within kError of all its values.
constexpr double kRatio = (1 + kError) / (1 - kError);
constexpr double kSmallest = 1e-6;

int ClassOf(double value) {
  return static_cast<int>(std::ceil(std::log(value) / std::log(kRatio)));
}

double MiddleOf(int number) { return 2 * std::pow(kRatio, number) / (kRatio + 1); }

}  // namespace

void SampleSeries::Add(double value) {
  value = std::max(value, 0.0);
  max_ = count_ == 0 ? value : std::max(max_, value);
  min_ = count_ == 0 ? value : std::min(min_, value);
  ++count_;
  if (count_ <= exact_) {
    values_.push_back(value);
    return;
  }
  for (const double earlier : values_) Classify(earlier);
  values_ = {};
  Classify(value);
}

void SampleSeries::Classify(double value) {
  if (value < kSmallest) {
    ++zeros_;
  } else {
    ++classes_[ClassOf(value)];
  }
}

double SampleSeries::ValueAt(uint64_t rank) const {
  if (rank < zeros_) return 0;
  rank -= zeros_;
  for (const auto& [number, count] : classes_) {
    if (rank < count) return std::clamp(MiddleOf(number), min_, max_);
    rank -= count;
  }
  return max_;
}

double SampleSeries::Percentile(double fraction) const {
  if (count_ == 0) return 0;
  const double position = fraction * static_cast<double>(count_ - 1);
  const auto below = static_cast<uint64_t>(position);
  const uint64_t above = std::min(below + 1, count_ - 1);
  const double part = position - static_cast<double>(below);
  double low;
  double high;
  if (values_.empty()) {
    low = ValueAt(below);
    high = ValueAt(above);
  } else {
    std::vector<double> sorted = values_;
    std::sort(sorted.begin(), sorted.end());
    low = sorted[below];
    high = sorted[above];
  }
  return low + (high - low) * part;
}

}  // namespace sparkles
