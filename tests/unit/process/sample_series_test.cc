#include "process/sample_series.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace sparkles {
namespace {

constexpr int kWeek = 7 * 24 * 3600;  // seconds

double Exact(std::vector<double> values, double fraction) {
  std::sort(values.begin(), values.end());
  const double position = fraction * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (values[above] - values[below]) * (position - static_cast<double>(below));
}

TEST(SampleSeries, PercentilesInterpolateLinearly) {
  SampleSeries series;
  for (const double value : {40.0, 10.0, 30.0, 20.0}) series.Add(value);
  EXPECT_DOUBLE_EQ(series.Percentile(0), 10);
  EXPECT_DOUBLE_EQ(series.Percentile(0.5), 25);
  EXPECT_DOUBLE_EQ(series.Percentile(0.95), 38.5);
  EXPECT_DOUBLE_EQ(series.Percentile(1), 40);
  EXPECT_DOUBLE_EQ(series.max(), 40);
  EXPECT_DOUBLE_EQ(series.min(), 10);
}

TEST(SampleSeries, EmptyAndSingleSeriesHavePercentiles) {
  SampleSeries series;
  EXPECT_TRUE(series.empty());
  EXPECT_DOUBLE_EQ(series.Percentile(0.95), 0);
  EXPECT_DOUBLE_EQ(series.max(), 0);
  series.Add(7);
  EXPECT_FALSE(series.empty());
  EXPECT_DOUBLE_EQ(series.Percentile(0.95), 7);
  EXPECT_DOUBLE_EQ(series.Percentile(0.5), 7);
}

// The memory of a machine in bytes during a week of a job: steps, a slow leak, noise and spikes.
// An estimate from the means of neighbouring samples is wrong by 10% or more for such data.
TEST(SampleSeries, PercentilesOfWeekAreAccurate) {
  std::minstd_rand random(1);
  std::uniform_real_distribution<> noise(0.9, 1.1);
  std::vector<double> values;
  SampleSeries series;
  for (int i = 0; i < kWeek; ++i) {
    double bytes = 2e9 + 1e4 * i;
    if (i % 100 < 7) bytes *= 10;  // spikes of seven seconds: the 95th percentile is in them
    if (i > kWeek / 3) bytes *= 1.5;
    values.push_back(bytes * noise(random));
    series.Add(values.back());
  }
  for (const double fraction : {0.01, 0.25, 0.5, 0.75, 0.9, 0.93, 0.95, 0.99, 0.999}) {
    const double exact = Exact(values, fraction);
    EXPECT_NEAR(series.Percentile(fraction), exact, exact * 0.01) << fraction;
  }
  EXPECT_DOUBLE_EQ(series.max(), *std::max_element(values.begin(), values.end()));
}

TEST(SampleSeries, RareSpikesKeepPercentilesAtZero) {
  SampleSeries series;
  for (int i = 0; i < kWeek; ++i) series.Add(i % 1000 == 0 ? 100 : 0);
  EXPECT_DOUBLE_EQ(series.Percentile(0.5), 0);
  EXPECT_DOUBLE_EQ(series.Percentile(0.95), 0);
  EXPECT_NEAR(series.Percentile(1), 100, 1);
}

TEST(SampleSeries, ApproximationMatchesExactSeries) {
  SampleSeries few(100);
  SampleSeries many(99);
  for (int i = 1; i <= 100; ++i) {
    few.Add(i);
    many.Add(i);
  }
  for (const double fraction : {0.0, 0.1, 0.5, 0.95, 1.0}) {
    const double exact = few.Percentile(fraction);
    EXPECT_NEAR(many.Percentile(fraction), exact, exact * 0.01) << fraction;
  }
}

}  // namespace
}  // namespace sparkles
