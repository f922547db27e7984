// Makes rows for the tests of the summary.
#pragma once

#include <string>
#include <vector>

#include "summary/task_row.h"

namespace sparkles {

inline TaskRow FailedTask(const std::string& id, const std::string& reason) {
  TaskRow row;
  row.id = id;
  row.status = "failed";
  row.failure_reason = reason;
  return row;
}

inline TaskRow EndedTask(const std::string& id, const std::string& exit_code,
                         const std::string& cause_kind = "", const std::string& detail = "") {
  TaskRow row;
  row.id = id;
  row.status = "complete";
  row.exit_code = exit_code;
  row.use.cause_kind = cause_kind;
  row.use.cause_detail = detail;
  return row;
}

// A task with exit code 0 that ran for 100 s on a machine with `machine_cpus` and `machine_bytes`.
inline TaskRow MeasuredTask(double cpus, double bytes, double machine_cpus = 4,
                            double machine_bytes = 16e9) {
  TaskRow row = EndedTask("job.1", "0");
  row.use.wall_seconds = 100;
  row.use.cpu_seconds = cpus * 100;
  row.use.peak_memory_bytes = bytes;
  row.use.outputs = 2;
  row.use.machine = {"", machine_cpus, machine_bytes};
  return row;
}

}  // namespace sparkles
