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
  // Commands run files there. Without this the worker itself works without the feature.
  bool exec = false;
  bool locks = false;
  std::optional<uint64_t> min_free_bytes;  // --minFreeSpace
  std::string cache_dir;  // the worker makes room by removing inputs from this directory
};

// Makes a directory with a few small files in the checked one, and always removes it, also after
// `cancel` is cancelled. Only a file system that does not answer can prevent that.
void CheckDirectory(const DirectoryNeeds& needs, const CancelToken& cancel, Findings& findings);

// Checks that the state file beside `tasks_file` can be written. Makes no file.
void CheckStateFile(const std::string& tasks_file, Findings& findings);

}  // namespace sparkles
