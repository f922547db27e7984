#include "doctor/system_checks.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/proc.h"
#include "base/status.h"
#include "base/text.h"
#include "process/control_group.h"
#include "process/machine_stats.h"

namespace sparkles {
namespace {

// The oldest kernel that the worker is made for (docs/cluster.md).
constexpr int kLeastMajor = 4;
constexpr int kLeastMinor = 14;
// The exit code of the test script. A shell that does nothing returns another one.
constexpr int kShellCode = 42;
constexpr char kShellScript[] = "exit 42";
constexpr absl::Duration kShellPoll = absl::Milliseconds(5);
// With fewer descriptors the worker itself cannot work: 20 for itself (base/descriptors.cc), one
// transfer, and some for the Monitor and name lookups.
constexpr rlim_t kLeastFiles = 64;
// Descriptors of one transfer (cli/google_cloud.cc).
constexpr int kTransferFiles = 6;
// A worker has about ten threads, and one for each transfer; gRPC starts some for each processor.
constexpr int64_t kLeastProcesses = 64;
constexpr int64_t kEnoughProcesses = 256;
// The worker itself takes 30 MB, and a task needs some, too.
constexpr int64_t kLittleMemory = int64_t{256} << 20;

constexpr char kProcessRemedy[] =
    "raise `ulimit -u`, or the pids limit of the container (docker: --pids-limit)";

std::string Bytes(int64_t bytes) { return HumanBytes(static_cast<double>(bytes)); }

// The number of processes and threads of the user who runs this.
int64_t CountThreads(const std::string& proc_root) {
  int64_t count = 0;
  ForEachNumber(proc_root, [&](int pid) {
    const std::string directory = absl::StrCat(proc_root, "/", pid);
    struct stat info;
    if (stat(directory.c_str(), &info) != 0 || info.st_uid != getuid()) return;
    ForEachNumber(directory + "/task", [&](int) { ++count; });
  });
  return count;
}

// The exit status of `shell` -c; an error if it cannot be started or does not end before `cancel`.
absl::StatusOr<int> RunShell(const std::string& shell, const CancelToken& cancel) {
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t files;
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_init(&files);
  sigset_t none;
  sigemptyset(&none);  // this thread blocks signals, and a child inherits that
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  for (const int fd : {0, 1, 2}) {
    posix_spawn_file_actions_addopen(&files, fd, "/dev/null", fd == 0 ? O_RDONLY : O_WRONLY, 0);
  }
  std::string name = shell;
  std::string flag = "-c";
  std::string script = kShellScript;
  char* const arguments[] = {name.data(), flag.data(), script.data(), nullptr};
  char* const environment[] = {nullptr};
  pid_t pid = 0;
  const int error = posix_spawn(&pid, shell.c_str(), &files, &attributes, arguments, environment);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return ErrnoError(error, shell);
  SystemClock clock;
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (clock.Sleep(kShellPoll, cancel)) continue;
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return absl::DeadlineExceededError(absl::StrCat(shell, ": ", cancel.reason()));
  }
  return status;
}

}  // namespace

void CheckKernel(absl::string_view release, Findings& findings) {
  int major = 0;
  int minor = 0;
  const bool known = std::sscanf(std::string(release).c_str(), "%d.%d", &major, &minor) == 2;
  const std::string text = absl::StrCat("Linux ", release);
  if (known && (major < kLeastMajor || (major == kLeastMajor && minor < kLeastMinor))) {
    return findings.Fail(
        "kernel", text,
        absl::StrCat("use a machine with Linux ", kLeastMajor, ".", kLeastMinor, " or newer"));
  }
  findings.Ok("kernel", text);
}

void CheckShell(const std::string& shell, const CancelToken& cancel, Findings& findings) {
  constexpr char kRemedy[] = "commands run as /bin/sh -c COMMAND: use an image with a shell";
  const absl::StatusOr<int> status = RunShell(shell, cancel);
  if (!status.ok()) return findings.Fail(shell, status.status().message(), kRemedy);
  if (!WIFEXITED(*status) || WEXITSTATUS(*status) != kShellCode) {
    return findings.Fail(shell, "does not run a script: `exit 42` has another exit code", kRemedy);
  }
  findings.Ok(shell, "runs commands");
}

void CheckOpenFiles(const rlimit& limit, int transfers, Findings& findings) {
  constexpr char kThing[] = "open files";
  if (limit.rlim_cur == RLIM_INFINITY) return findings.Ok(kThing, "no limit");
  const std::string text = absl::StrCat("the limit is ", limit.rlim_cur);
  const rlim_t enough = static_cast<rlim_t>(transfers) * kTransferFiles + kLeastFiles;
  const std::string remedy =
      absl::StrCat("raise it with `ulimit -n ", enough, "` (docker: --ulimit nofile=4096)");
  if (limit.rlim_cur < kLeastFiles) {
    return findings.Fail(kThing, absl::StrCat(text, "; the worker needs ", kLeastFiles), remedy);
  }
  const int possible = CountWithinLimit(limit.rlim_cur, transfers, kTransferFiles);
  if (possible < transfers) {
    return findings.Warn(kThing,
                         absl::StrCat(text, ", enough for ", possible,
                                      " transfers at a time (--transfers is ", transfers, ")"),
                         remedy);
  }
  findings.Ok(kThing, text);
}

void CheckProcesses(const rlimit& limit, bool privileged, const std::string& proc_root,
                    Findings& findings) {
  constexpr char kThing[] = "processes";
  int64_t room = INT64_MAX;
  std::string text = "no limit";
  if (!privileged && limit.rlim_cur != RLIM_INFINITY) {
    const int64_t running = CountThreads(proc_root);
    room = static_cast<int64_t>(limit.rlim_cur) - running;
    text = absl::StrCat("this user has ", running, " of at most ", limit.rlim_cur,
                        " processes and threads");
  }
  const GroupLimits group = ReadGroupLimits(proc_root);
  if (group.pids && *group.pids - group.pids_running.value_or(0) < room) {
    room = *group.pids - group.pids_running.value_or(0);
    text = absl::StrCat("the control group has ", group.pids_running.value_or(0), " of at most ",
                        *group.pids, " processes and threads");
  }
  if (room < kLeastProcesses) {
    return findings.Fail(kThing, absl::StrCat(text, "; the worker needs ", kLeastProcesses),
                         kProcessRemedy);
  }
  if (room < kEnoughProcesses) {
    return findings.Warn(kThing, absl::StrCat(text, "; a command with many processes may fail"),
                         kProcessRemedy);
  }
  findings.Ok(kThing, text);
}

void CheckMemory(const std::string& proc_root, Findings& findings) {
  constexpr char kThing[] = "memory";
  const std::optional<MemoryInfo> machine = ParseMemoryInfo(ReadProcFile(proc_root + "/meminfo"));
  if (!machine) {
    return findings.Warn(kThing, "/proc/meminfo cannot be read",
                         "mount /proc; without it result.json lacks the memory of the machine");
  }
  const GroupLimits group = ReadGroupLimits(proc_root);
  int64_t usable = machine->available_bytes;
  std::string text = absl::StrCat(Bytes(machine->available_bytes), " of ",
                                  Bytes(machine->total_bytes), " are available");
  if (group.memory_bytes && *group.memory_bytes < machine->total_bytes) {
    usable = std::min(usable, *group.memory_bytes);
    absl::StrAppend(&text, "; the control group is limited to ", Bytes(*group.memory_bytes));
  }
  if (usable < kLittleMemory) {
    return findings.Warn(kThing, text,
                         "the kernel may kill commands: use a larger machine, or raise the limit "
                         "of the container (docker: --memory)");
  }
  findings.Ok(kThing, text);
}

}  // namespace sparkles
