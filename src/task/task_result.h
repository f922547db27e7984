// result.json: what a task's command did and where its outputs are (docs/wire-contract.md section
// 4). Keys of both releases of the old worker come first, in their order; ours are additional.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/json.h"
#include "base/usage.h"

namespace sparkles {

// An output that its store has acknowledged.
struct DeliveredFile {
  std::string src;         // path relative to the work folder
  std::string dst_url;     // where it is
  uint64_t size = 0;       // bytes
  uint32_t crc32c = 0;     // of the content
  int64_t generation = 0;  // the store's version number; 0 where it has none
};

// Something that matched a pattern and cannot be an output.
struct SkippedFile {
  std::string src;
  std::string reason;
};

// Why a command did not end with 0.
struct CauseOfDeath {
  // "exit_code" (it said so itself), "signal" (not from this worker), "out_of_memory", "disk_full",
  // "time_limit" or "stopped" (by this worker).
  std::string kind;
  std::string detail;  // for people
};

// A command that was started and has ended.
struct CommandRun {
  std::string return_code;  // as result.json writes it: "0", "signaled(killed)"
  ResourceUsage usage;
  absl::Time start;
  absl::Time end;
  MachineStats machine;
  std::optional<CauseOfDeath> cause;
};

struct TaskResult {
  std::string command;
  Json parameters;                // an object, or null
  std::optional<CommandRun> run;  // absent if the command never ran
  std::vector<DeliveredFile> files;
  std::string failure_reason;  // empty: the task did not fail
  std::vector<SkippedFile> skipped;
  std::vector<std::string> unmatched_patterns;  // include patterns that match no output
};

// One line of JSON without a line end. return_code, resource_usage and machine_stats are there only
// if the command ran, cause only if it did not end with 0; parameters, failure_reason, skipped and
// unmatched_patterns only if there are any. Malformed UTF-8 is replaced by U+FFFD.
std::string FormatTaskResult(const TaskResult& result);

}  // namespace sparkles
