// Checks a tasks file: all problems of each task, and of the specs.
#pragma once

#include <string>
#include <vector>

#include "doctor/finding.h"
#include "task/task.h"

namespace sparkles {

// All problems of the spec in `task.args`. If `args` is the URL of a spec, only the URL is checked.
std::vector<std::string> FindTaskProblems(const Task& task);

// Adds one finding for each problem.
void CheckTasksFile(const std::string& path, Findings& findings);

// True if the text of the tasks file names an object in Cloud Storage.
bool UsesCloudStorage(const std::string& path);

}  // namespace sparkles
