// Counts the tasks, and describes what they used by a few numbers.
#pragma once

#include <cstddef>
#include <vector>

#include "summary/groups.h"
#include "summary/task_row.h"

namespace sparkles {

// Of known values only. All numbers are 0 without a known value. Median and p95 are interpolated
// between neighbours.
struct Distribution {
  size_t count = 0;
  double min = 0;
  double median = 0;
  double p95 = 0;
  double max = 0;
};

Distribution DistributionOf(std::vector<double> values);

// Tasks on machines of one kind: with the same type and number of processors. VMs of one type
// differ by some kilobytes of memory.
struct MachineGroup {
  Machine machine;  // of the first of these tasks; processors and memory are known
  size_t tasks = 0;
};

struct Statistics {
  std::vector<Group> statuses;  // in the order of a task's life
  Distribution wall_seconds;
  Distribution cpus_used;
  Distribution peak_memory_bytes;
  std::vector<MachineGroup> machines;  // the most used first
  std::vector<Group> failures;         // of GroupFailures
};

Statistics ComputeStatistics(const std::vector<TaskRow>& rows);

}  // namespace sparkles
