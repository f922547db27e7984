// What `summary` knows about one task: its state in the queue, and numbers of its result.json.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace sparkles {

// Unknown values are nullopt or empty.
struct Machine {
  std::string type;  // Google's name, such as "n1-standard-4"
  std::optional<double> cpus;
  std::optional<double> memory_bytes;
};

// The numbers of a result.json. Old results lack some of them. Unknown values are nullopt or empty.
struct TaskUse {
  std::optional<double> wall_seconds;
  std::optional<double> cpu_seconds;
  std::optional<double> peak_memory_bytes;
  std::optional<size_t> outputs;  // stored files, including the log
  Machine machine;
  std::optional<double> busy_percent;  // of all processors, the median while the command ran
  std::string cause_kind;              // `cause.kind`
  std::string cause_detail;            // `cause.detail`
  std::string remark;                  // "no output matches *.csv", or empty
};

struct TaskRow {
  std::string id;
  std::string status;          // a wire name of task/task.h, or "abandoned"
  std::string exit_code;       // of a complete task; decimal
  std::string failure_reason;  // of a failure, or of a hand-back
  std::string result_url;      // of the result.json of the last attempt; empty if there is none
  TaskUse use;
};

// The processors that the command used on average; nullopt if not known.
std::optional<double> CpusUsed(const TaskUse& use);

// True if the task is failed, or its command ended with an exit code other than 0.
bool IsFailure(const TaskRow& row);
// True if the command ended with exit code 0 and the task is complete.
bool IsSuccess(const TaskRow& row);
// True if the task is pending, claimed or abandoned.
bool IsUnfinished(const TaskRow& row);

// True if the last attempt of the task can have a result.json. Another task may have one of an
// earlier attempt.
bool HasResult(const TaskRow& row);

// The text of the column REASON: the failure reason, else the cause, else the remark.
std::string ReasonOf(const TaskRow& row);

}  // namespace sparkles
