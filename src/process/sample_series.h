// Computes percentiles of any number of values in bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace sparkles {

// Keeps up to `exact` values unchanged. If there are more, it counts the values in classes whose
// limits are 0.5% from their middle. Then a percentile is within 0.5% of the exact value, and there
// are at most a few thousand classes. Not thread-safe.
class SampleSeries {
 public:
  explicit SampleSeries(size_t exact = 4096) : exact_(exact) {}

  // A negative value counts as 0. A value below 1e-6 counts as 0 if there are more than `exact`.
  void Add(double value);
  bool empty() const { return count_ == 0; }
  // The largest and the smallest added value, or 0 if there is none.
  double max() const { return max_; }
  double min() const { return min_; }
  // Interpolates linearly between neighbours. `fraction` is from 0 to 1. 0 if there is no value.
  double Percentile(double fraction) const;

 private:
  void Classify(double value);
  // The classified value at position `rank`, in ascending order from 0.
  double ValueAt(uint64_t rank) const;

  const size_t exact_;
  std::vector<double> values_;       // empty after the values were classified
  std::map<int, uint64_t> classes_;  // class -> number of values
  uint64_t zeros_ = 0;               // number of classified zeros
  uint64_t count_ = 0;
  double max_ = 0;
  double min_ = 0;
};

}  // namespace sparkles
