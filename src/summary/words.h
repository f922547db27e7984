// Writes numbers of the summary for people.
#pragma once

#include <optional>
#include <string>

#include "summary/task_row.h"

namespace sparkles {

// "-" for an unknown value.
std::string SecondsText(std::optional<double> seconds);  // "12.30 s"
std::string CpusText(std::optional<double> cpus);        // "0.04", "0.9", "12"
std::string BytesText(std::optional<double> bytes);      // "3.1 GB"

// "n1-standard-4, 4 processors, 15.8 GB of memory", without the parts that are not known.
std::string MachineText(const Machine& machine);

// "1 task", "3 tasks".
std::string TasksText(size_t count);

}  // namespace sparkles
