// consume: the composition root. Objects are built as locals, top to bottom, and borrowed upwards.
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/version.h"
#include "executor/content_cache.h"
#include "executor/executor.h"
#include "executor/task_folder.h"
#include "process/posix_process_runner.h"
#include "queue/file_queue.h"
#include "storage/local_store.h"
#include "storage/store_router.h"
#include "worker/consumer.h"
#include "worker/exit_code.h"
#include "worker/signals.h"

extern char** environ;

namespace sparkles {
namespace {

Severity SeverityOf(const std::string& level) {
  if (level == "debug") return Severity::kDebug;
  if (level == "warning") return Severity::kWarning;
  if (level == "error") return Severity::kError;
  return Severity::kInfo;
}

// Google Batch's first worker lingers for the next job.
absl::Duration LingerOf(const ConsumeOptions& options) {
  const char* index = getenv("BATCH_TASK_INDEX");
  const bool first = index != nullptr && std::string(index) == "0";
  return absl::Seconds(first ? options.ft_shutdown_after_seconds : options.shutdown_after_seconds);
}

std::string LocalOwner() {
  char host[256] = "localhost";
  (void)gethostname(host, sizeof host - 1);
  return absl::StrCat(host, ":", getpid());
}

ExecutorOptions ExecutorOptionsOf(const ConsumeOptions& options) {
  ExecutorOptions executor;
  // The command and the links into the cache are used from other folders: absolute paths only.
  executor.tasks_dir = options.tasks_dir;
  executor.keep_tasks = options.keep_tasks;
  executor.transfers = options.transfers;
  executor.grace = absl::Seconds(options.grace_seconds);
  for (char** variable = environ; *variable != nullptr; ++variable) {
    executor.environment.emplace_back(*variable);
  }
  return executor;
}

absl::Status MakeAbsoluteFolder(std::string& path) {
  if (path[0] != '/') {
    char folder[4096];
    if (getcwd(folder, sizeof folder) == nullptr) return ErrnoError(errno, ".");
    path = absl::StrCat(folder, "/", path);
  }
  RETURN_IF_ERROR(MakeFolders(path));
  if (access(path.c_str(), W_OK | X_OK) != 0) return ErrnoError(errno, path);
  return absl::OkStatus();
}

int ExitCodeOf(Consumer::End end, int signal) {
  if (end == Consumer::End::kMachineUnfit) return kExitMachineUnfit;
  if (end == Consumer::End::kStopped) return 128 + signal;
  return kExitDone;
}

int ConsumeTasksFile(ConsumeOptions options, PosixProcessRunner& runner, Clock& clock,
                     const Log& log) {
  absl::StatusOr<TasksFile> file = ReadTasksFile(options.tasks_file);
  if (!file.ok()) {
    log.Error(file.status().message());
    return kExitTasksFile;
  }
  for (const std::string& problem : file->problems) log.Error(options.tasks_file, ": ", problem);
  for (std::string* folder : {&options.tasks_dir, &options.cache_dir}) {
    const absl::Status made = MakeAbsoluteFolder(*folder);
    if (made.ok()) continue;
    log.Error(folder == &options.tasks_dir ? "--tasksDir: " : "--cacheDir: ", made.message());
    return kExitMachineUnfit;
  }
  auto queue = FileQueue::Open(options.tasks_file, std::move(file->tasks), LocalOwner(),
                               options.durable, clock);
  if (!queue.ok()) {
    log.Error(queue.status().message());
    return kExitTasksFile;
  }

  CancelToken stop;
  const StopSignals signals(stop);
  LocalStore local(options.durable);
  StoreRouter store(local, nullptr);
  RemoveStaleTaskFolders(options.tasks_dir, log);
  ContentCache cache(options.cache_dir, store, clock);
  Executor executor(ExecutorOptionsOf(options), clock, runner, store, cache, log);
  Consumer consumer({LingerOf(options)}, clock, **queue, stop, log);
  int held = -1;
  const Consumer::End end = consumer.Run([&](const Claim& claim, const CancelToken& cancel) {
    // The claim must outlive this process until its command is dead too.
    if ((*queue)->lock_fd() != held) {
      held = (*queue)->lock_fd();
      const absl::Status holding = runner.HoldInLauncher(held);
      if (!holding.ok()) log.Warning("launcher: ", holding.message());
    }
    return executor.Execute(claim.task, claim.attempt, cancel);
  });
  if (end == Consumer::End::kQueueEmpty) log.Info("no task is left");
  const int code = ExitCodeOf(end, signals.received());
  return code == kExitDone && !file->problems.empty() ? kExitTasksFile : code;
}

}  // namespace

int RunConsume(const ConsumeOptions& options) {
  BlockSignals();
  // First of all: the launcher must be a small process (see process/launcher.h).
  auto runner = PosixProcessRunner::Start();
  SystemClock clock;
  LogSink sink(clock, STDERR_FILENO,
               options.log_format == "json" ? LogFormat::kJson : LogFormat::kText,
               SeverityOf(options.log_level));
  const Log log(sink);
  if (!options.expected_version.empty() && options.expected_version != WorkerVersion()) {
    log.Error("--expectedVersion is ", options.expected_version, ", but this is ", VersionLine(),
              "; nothing was claimed");
    return kExitVersion;
  }
  if (!runner.ok()) {
    log.Error("cannot start processes: ", runner.status().message());
    return kExitMachineUnfit;
  }
  if (options.tasks_file.empty()) {
    log.Error("tasks from Datastore are not in this version yet; use --tasksFile");
    return kExitFailed;
  }
  if (options.port != 0) log.Warning("--port: the Monitor is not in this version yet");
  return ConsumeTasksFile(options, **runner, clock, log);
}

}  // namespace sparkles
