// The content of result.json (docs/wire-results.md).
// The keys of the two releases of the Go worker come first, in the same order. Keys of this worker
// follow.
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
  std::string src;         // path relative to the work directory
  std::string dst_url;     // URL of the delivered file
  uint64_t size = 0;       // bytes
  uint32_t crc32c = 0;     // of the content
  int64_t generation = 0;  // the object's generation, or 0 if the store has none
};

// A file that matched a pattern but cannot be an output.
struct SkippedFile {
  std::string src;
  std::string reason;
};

// The reason why a command did not exit with 0.
struct ExitCause {
  // "exit_code", "signal" (not sent by this worker), "out_of_memory", "disk_full", "time_limit",
  // "no_progress" or "stopped" (by this worker).
  std::string kind;
  std::string detail;  // a text for the user
};

// A command that was started and has ended.
struct CommandRun {
  std::string return_code;  // as result.json writes it: "0", "signaled(killed)"
  ResourceUsage usage;
  absl::Time start;
  absl::Time end;
  MachineStats machine;
  std::optional<ExitCause> cause;
};

// The checkpoint that the task has in its store when it ends.
struct CheckpointUse {
  std::optional<int> restored_from_attempt;
  absl::Time saved_at;
  size_t files = 0;
  uint64_t bytes = 0;  // of all files
  int64_t saves = 0;   // by this attempt
};

struct TaskResult {
  std::string command;
  Json parameters;                // an object, or null
  std::optional<CommandRun> run;  // absent if the command never ran
  std::vector<DeliveredFile> files;
  std::string failure_reason;  // empty if the task did not fail
  std::vector<SkippedFile> skipped;
  std::vector<std::string> unmatched_patterns;  // include patterns that match no output
  std::optional<CheckpointUse> checkpoint;      // absent if none was restored or saved
};

// One line of JSON without a line end. return_code, resource_usage and machine_stats are there only
// if the command ran, cause only if it did not end with 0; parameters, failure_reason, skipped and
// unmatched_patterns only if there are any. Malformed UTF-8 is replaced by U+FFFD.
std::string FormatTaskResult(const TaskResult& result);

}  // namespace sparkles
