#include "summary/statistics.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "summary/failure_groups.h"

namespace sparkles {
namespace {

constexpr const char* kStatuses[] = {"pending",  "claimed", "abandoned",
                                     "complete", "failed",  "killed"};

// `sorted` must not be empty.
double Percentile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(std::floor(place));
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - std::floor(place));
}

// Statuses of later clients come last.
size_t RankOf(const std::string& status) {
  return static_cast<size_t>(std::find(std::begin(kStatuses), std::end(kStatuses), status) -
                             std::begin(kStatuses));
}

std::vector<Group> CountStatuses(const std::vector<TaskRow>& rows) {
  const std::vector<Group> found =
      GroupBy(rows.size(), [&rows](size_t row) { return rows[row].status; });
  std::vector<Group> ordered;
  for (size_t rank = 0; rank <= std::size(kStatuses); ++rank) {
    for (const Group& group : found) {
      if (RankOf(group.key) == rank) ordered.push_back(group);
    }
  }
  return ordered;
}

// Empty if processors or memory are not known.
std::string KindOf(const Machine& machine) {
  if (!machine.cpus || !machine.memory_bytes) return "";
  return absl::StrCat(machine.type, "/", *machine.cpus, "/",
                      machine.type.empty() ? HumanBytes(*machine.memory_bytes) : "");
}

std::vector<MachineGroup> GroupMachines(const std::vector<TaskRow>& rows) {
  std::vector<MachineGroup> machines;
  for (const Group& group :
       GroupBy(rows.size(), [&rows](size_t row) { return KindOf(rows[row].use.machine); })) {
    machines.push_back({rows[group.first].use.machine, group.count});
  }
  return machines;
}

}  // namespace

Distribution DistributionOf(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {values.size(), values.front(), Percentile(values, 0.5), Percentile(values, 0.95),
          values.back()};
}

Statistics ComputeStatistics(const std::vector<TaskRow>& rows) {
  const auto distribution = [&rows](auto value_of) {
    std::vector<double> values;
    for (const TaskRow& row : rows) {
      const std::optional<double> value = value_of(row.use);
      if (value) values.push_back(*value);
    }
    return DistributionOf(std::move(values));
  };
  Statistics statistics;
  statistics.statuses = CountStatuses(rows);
  statistics.wall_seconds = distribution([](const TaskUse& use) { return use.wall_seconds; });
  statistics.cpus_used = distribution(CpusUsed);
  statistics.peak_memory_bytes =
      distribution([](const TaskUse& use) { return use.peak_memory_bytes; });
  statistics.machines = GroupMachines(rows);
  statistics.failures = GroupFailures(rows);
  return statistics;
}

}  // namespace sparkles
