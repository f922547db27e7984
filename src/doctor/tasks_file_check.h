// Checks a tasks file: all problems of each task, and of the specs.
#pragma once

#include <string>
#include <vector>

#include "base/cancel.h"
#include "doctor/finding.h"
#include "task/task.h"

namespace sparkles {

// All problems of the spec in `task.args`. If `args` is the URL of a spec, only the URL is checked.
std::vector<std::string> FindTaskProblems(const Task& task);

// Adds one finding for each problem. After `cancel` is cancelled, specs are only counted.
void CheckTasksFile(const std::string& path, const CancelToken& cancel, Findings& findings);

// True if a JSON string in the tasks file starts with gs://.
bool UsesCloudStorage(const std::string& path);

}  // namespace sparkles
