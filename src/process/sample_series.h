// Numbers in bounded memory, for their percentiles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace sparkles {

// The one hard idea: up to `exact` values are kept as they are. When there are more, only how many
// there are of each size is kept, in classes half a per cent wide on either side: a percentile is
// then within 0.5% of the truth, however many values come, in at most a few thousand classes.
class SampleSeries {
 public:
  explicit SampleSeries(size_t exact = 4096) : exact_(exact) {}

  // Negative values count as 0, and so do those below a millionth once there are many.
  void Add(double value);
  bool empty() const { return count_ == 0; }
  // The largest and the smallest value ever added; 0 if there is none.
  double max() const { return max_; }
  double min() const { return min_; }
  // With linear interpolation between neighbours; `fraction` from 0 to 1; 0 if there is none.
  double Percentile(double fraction) const;

 private:
  void Classify(double value);
  // The value with so many others below it, of classified ones.
  double ValueAt(uint64_t rank) const;

  const size_t exact_;
  std::vector<double> values_;       // empty once they are classified
  std::map<int, uint64_t> classes_;  // class -> how many
  uint64_t zeros_ = 0;               // classified ones
  uint64_t count_ = 0;
  double max_ = 0;
  double min_ = 0;
};

}  // namespace sparkles
