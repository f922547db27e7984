#include "summary/advice.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "summary/words.h"

namespace sparkles {
namespace {

// The least part of a machine that has enough.
enum class Part { kQuarter, kHalf, kWhole, kMore };

Part PartFor(double need, double have) {
  if (need <= have / 4) return Part::kQuarter;
  if (need <= have / 2) return Part::kHalf;
  return need <= have ? Part::kWhole : Part::kMore;
}

std::string PartText(Part part, absl::string_view whole) {
  return absl::StrCat(part == Part::kHalf ? "half " : "a quarter of ", whole);
}

size_t CountCause(const std::vector<TaskRow>& rows, absl::string_view kind) {
  return static_cast<size_t>(std::count_if(
      rows.begin(), rows.end(), [kind](const TaskRow& row) { return row.use.cause_kind == kind; }));
}

// Tasks that failed early have used less than others.
bool Counts(const TaskRow& row) {
  const TaskUse& use = row.use;
  return IsSuccess(row) && CpusUsed(use) && use.peak_memory_bytes && use.machine.cpus &&
         use.machine.memory_bytes;
}

// True if the command had to share busy processors, so that it may have used less than it could.
bool HadToShare(const TaskRow& row) {
  constexpr double kBusyPercent = 90;
  const TaskUse& use = row.use;
  if (!Counts(row) || !use.busy_percent || *use.busy_percent < kBusyPercent) return false;
  return *CpusUsed(use) < *use.machine.cpus / 2;
}

// Sets all but the text.
void ComputeNeed(const Statistics& statistics, const Machine& machine, Advice& advice) {
  const double task_cpus = statistics.cpus_used.max * kHeadroom;
  const double task_bytes = statistics.peak_memory_bytes.max * kHeadroom;
  advice.cpus = task_cpus;
  advice.memory_bytes = task_bytes + kSystemBytes;
  double fit = *machine.cpus;  // also for tasks that only wait
  if (task_cpus > 0) fit = std::min(fit, *machine.cpus / task_cpus);
  if (task_bytes > 0) fit = std::min(fit, (*machine.memory_bytes - kSystemBytes) / task_bytes);
  advice.tasks_at_a_time = static_cast<int>(std::max(fit, 0.0));
}

std::string VerdictOn(const std::string& name, const Machine& machine, const Advice& advice) {
  const Part memory = PartFor(*advice.memory_bytes, *machine.memory_bytes);
  // No machine has less than one processor.
  const Part cpus = PartFor(std::max(*advice.cpus, 1.0), *machine.cpus);
  if (memory == Part::kMore) return "use a machine with more memory";
  if (std::max(memory, cpus) < Part::kWhole) {
    return absl::StrCat(PartText(std::max(memory, cpus), name), " would do");
  }
  std::string text = absl::StrCat(name, " is right");
  if (memory < Part::kWhole) {
    absl::StrAppend(&text, ", but ", PartText(memory, "its memory"), " would do");
  } else if (cpus < Part::kWhole) {
    absl::StrAppend(&text, ", but ", PartText(cpus, "its processors"), " would do");
  }
  return text;
}

// The sentence that compares the maxima with the machine.
std::string Comparison(const Statistics& statistics, const Machine& machine, bool with_verdict,
                       const Advice& advice) {
  std::string text =
      absl::StrCat("Peak memory ", BytesText(statistics.peak_memory_bytes.max), " of ",
                   BytesText(machine.memory_bytes), ", CPU ", CpusText(statistics.cpus_used.max),
                   " of ", CpusText(machine.cpus));
  if (!with_verdict) return text + ".";
  const bool is_only = statistics.machines.size() == 1;
  const std::string name = is_only ? "this machine" : "the most used machine";
  absl::StrAppend(&text, ": ", VerdictOn(name, machine, advice));
  if (advice.tasks_at_a_time > 1) {
    absl::StrAppend(&text, " for one task at a time; ", name, " has room for ",
                    advice.tasks_at_a_time, " (--slots ", advice.tasks_at_a_time, ")");
  }
  return text + ".";
}

std::string TooFewTasks(size_t known) {
  return absl::StrCat("No advice on the machine: ", TasksText(known), known == 1 ? " has" : " have",
                      " ended with exit code 0 and reported CPU, memory and machine, and ",
                      kLeastTasksForAdvice, " are needed.");
}

}  // namespace

Advice Advise(const std::vector<TaskRow>& rows, const Statistics& statistics) {
  Advice advice;
  std::vector<std::string> sentences;
  const size_t no_memory = CountCause(rows, "out_of_memory");
  const size_t no_disk = CountCause(rows, "disk_full");
  const auto known = static_cast<size_t>(std::count_if(rows.begin(), rows.end(), Counts));
  const auto unfinished =
      static_cast<size_t>(std::count_if(rows.begin(), rows.end(), IsUnfinished));
  if (known >= kLeastTasksForAdvice) {
    const Machine& machine = statistics.machines.front().machine;
    ComputeNeed(statistics, machine, advice);
    if (no_memory > 0) {  // the tasks would have used more
      advice.memory_bytes.reset();
      advice.tasks_at_a_time = 0;
    }
    sentences.push_back(Comparison(statistics, machine, no_memory == 0, advice));
    const auto shared = static_cast<size_t>(std::count_if(rows.begin(), rows.end(), HadToShare));
    if (shared * 2 > known) {
      sentences.push_back("Other work kept the processors busy: alone, a task may use more CPU.");
    }
    if (unfinished > 0) {
      sentences.push_back(
          absl::StrCat(TasksText(unfinished), unfinished == 1 ? " has" : " have", " not ended."));
    }
  } else if (no_memory + no_disk == 0) {
    sentences.push_back(TooFewTasks(known));
  }
  if (no_memory > 0) {
    sentences.push_back(
        absl::StrCat(TasksText(no_memory), " ran out of memory: use a machine with more memory."));
  }
  if (no_disk > 0) {
    sentences.push_back(
        absl::StrCat(TasksText(no_disk), " found the disk full: use a larger disk."));
  }
  advice.text = absl::StrJoin(sentences, " ");
  return advice;
}

}  // namespace sparkles
