// Says in words which machine would do for tasks of this kind.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "summary/statistics.h"
#include "summary/task_row.h"

namespace sparkles {

// Fewer tasks say too little.
inline constexpr size_t kLeastTasksForAdvice = 5;
// The advice leaves a fifth more than the observed maximum of memory and of processors.
inline constexpr double kHeadroom = 1.2;
// Bytes of memory for the system and the worker, besides those of the task.
inline constexpr double kSystemBytes = 0.5e9;

struct Advice {
  std::string text;  // one sentence, perhaps a few; no line end
  // What a machine needs for one such task, with headroom. nullopt if too little is known.
  std::optional<double> cpus;
  std::optional<double> memory_bytes;
  // How many such tasks the machine can run at a time, at most one for each processor. 0 if too
  // little is known, or if the machine has too little memory for one.
  int tasks_at_a_time = 0;
};

// Compares the maxima of all tasks with the machine that ran most of them.
Advice Advise(const std::vector<TaskRow>& rows, const Statistics& statistics);

}  // namespace sparkles
