// The seam between running tasks and a Monitor, which shows their logs.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace sparkles {

// Thread-safe.
class LogPublisher {
 public:
  virtual ~LogPublisher() = default;
  // Makes the log `path` of a starting task readable. Call EndLog when the task has ended.
  virtual absl::Status AddLog(const std::string& task_id, const std::string& path) = 0;
  virtual void EndLog(const std::string& task_id) = 0;
  // Drops old logs of ended tasks, which take disk space.
  virtual void DropOldLogs() = 0;
};

}  // namespace sparkles
