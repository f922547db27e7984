// Checks the file systems of --tasksDir, --cacheDir and the tasks file.
// A directory that does not exist is not made. The directory in which it would be made is checked
// instead.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/cancel.h"
#include "doctor/finding.h"

namespace sparkles {

struct DirectoryNeeds {
  std::string flag;  // "--tasksDir"
  std::string path;
  // Whether a file system without this feature is a kFail, or only a kWarn.
  bool exec = false;                       // commands run files of the directory
  bool locks = false;                      // the worker locks files of the directory
  std::optional<uint64_t> min_free_bytes;  // --minFreeSpace
  std::string cache_dir;  // the worker makes room by removing inputs from this directory
};

// Makes a temporary directory with a few small files in the checked directory. Always removes it,
// also after `cancel` is cancelled, unless the file system does not answer.
void CheckDirectory(const DirectoryNeeds& needs, const CancelToken& cancel, Findings& findings);

// Checks that the state file beside `tasks_file` can be written. Makes no file.
void CheckStateFile(const std::string& tasks_file, Findings& findings);

}  // namespace sparkles
