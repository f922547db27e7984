// The functions that run the commands, and their options.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "slots/slot_process.h"

namespace sparkles {

// The least --stopWithin. TERM, KILL, the log and the hand-back need this time.
inline constexpr int kLeastStopSeconds = 5;

struct ConsumeOptions {
  std::vector<std::string> arguments;   // argv of the process, for its slots
  std::string slots = "1";              // a number, or "auto"
  std::optional<uint64_t> slot_memory;  // for "auto": bytes that a slot needs
  std::string project_id;
  std::string cluster;
  std::string cache_dir;
  std::string tasks_dir;
  std::string tasks_file;
  int port = 0;  // 0 for no Monitor
  double watchdog_minutes = 5;
  int health_port = 0;  // 0 for no health checks
  std::string health_address = "127.0.0.1";
  int shutdown_after_seconds = 0;
  int ft_shutdown_after_seconds = 30;
  bool localhost = false;
  std::string expected_version;
  bool keep_tasks = false;
  bool durable = true;
  int grace_seconds = 10;
  int stop_within_seconds = 20;
  std::optional<uint64_t> min_free_bytes;  // nullopt for the default of executor/space_guard.h
  std::optional<uint64_t> cache_bytes;     // nullopt for no limit
  int task_timeout_seconds = 0;            // 0 for no limit
  int no_progress_timeout_seconds = 0;     // 0 for no limit
  int log_every_seconds = 60;              // 0 for never
  int permission_patience_seconds = 120;
  std::vector<std::string> withhold_env;
  std::vector<std::string> pass_env;
  bool core_dumps = false;
  int checkpoint_every_seconds = 300;  // 0 for no checkpoints
  int transfers = 32;
  std::string log_format = "text";
  std::string log_level = "info";
  std::string view = "auto";
};

// `doctor` takes the flags of `consume`, too.
struct DoctorOptions {
  bool json = false;
  bool write = false;  // writes a test object into each bucket
  std::vector<std::string> buckets;
};

struct CopyexeOptions {
  std::string dst;
};

struct FetchOptions {
  std::string src;
  std::string dst;
  std::string expect_md5;  // in hex; if empty, the content is not checked
};

struct SummaryOptions {
  std::string tasks_file;
  std::string job;  // of a cluster; only without tasks_file
  std::string project_id;
  std::string format = "table";
  bool failed = false;  // only rows of failed tasks
  std::string sort;     // a column; if empty, the order of the tasks
  bool reverse = false;
};

// The options of `status` and `logs`.
struct WatchOptions {
  std::string address;      // host:port of a worker's Monitor
  std::string secret_file;  // if empty, SPARKLES_MONITOR_SECRET has the secret
  std::string cert_file;    // PEM
  std::string task;         // logs only
  bool follow = false;      // logs only
};

struct CommandOptions {
  ConsumeOptions consume;  // also of doctor
  DoctorOptions doctor;
  CopyexeOptions copyexe;
  FetchOptions fetch;
  SummaryOptions summary;
  WatchOptions watch;
  bool verbose_version = false;
  // Set in the process of a slot.
  std::optional<SlotOrigin> slot;
};

// All return the process's exit code (worker/exit_code.h) and print errors to stderr.
int RunConsume(ConsumeOptions options, std::optional<SlotOrigin> slot);
int RunDoctor(const ConsumeOptions& options, const DoctorOptions& doctor);
int RunCopyexe(const CopyexeOptions& options);
int RunFetch(const FetchOptions& options);
int RunSummary(const SummaryOptions& options);
int RunStatus(const WatchOptions& options);
int RunLogs(const WatchOptions& options);

}  // namespace sparkles
