#include "process/launcher_setup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <vector>

#include "base/proc.h"

namespace sparkles {
namespace {

constexpr int kSocketNumber = STDERR_FILENO + 1;
// Where neither close_range nor /proc can be had; a limit of a billion would take minutes to walk.
constexpr rlim_t kHighestGuess = 1 << 16;

#ifdef SYS_close_range
constexpr long kCloseRange = SYS_close_range;
#else
constexpr long kCloseRange = 436;  // the same number on every architecture
#endif

bool CloseListed(int first, const std::string& folder) {
  std::vector<int> open_ones;
  const auto note = [&](int fd) {
    if (fd >= first) open_ones.push_back(fd);
  };
  if (!ForEachNumber(folder, note)) return false;
  for (const int fd : open_ones) close(fd);
  return true;
}

void CloseFrom(int first, const std::string& proc_root) {
  if (syscall(kCloseRange, static_cast<unsigned>(first), ~0U, 0U) == 0) return;
  if (CloseListed(first, proc_root + "/self/fd")) return;
  rlimit limit{kHighestGuess, kHighestGuess};
  getrlimit(RLIMIT_NOFILE, &limit);
  const int end = static_cast<int>(std::min(limit.rlim_cur, kHighestGuess));
  for (int fd = first; fd < end; ++fd) close(fd);
}

// Something to read that is at its end at once.
UniqueFd OpenEmptyInput() {
  UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null.valid()) return null;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return UniqueFd();
  close(ends[1]);
  return UniqueFd(ends[0]);
}

void SetDefaultDispositions() {
  // By system call: the library refuses the first real-time signals, which it keeps to itself, but
  // whoever started us may have left those ignored too. All zero is SIG_DFL without flags or mask.
  constexpr size_t kKernelSetBytes = 8;  // what the kernel calls sizeof(sigset_t), everywhere
  const std::array<uint64_t, 4> default_action{};  // at least as long as any kernel's sigaction
  for (int number = 1; number <= 64; ++number) {
    // KILL and STOP refuse; they need nothing.
    syscall(SYS_rt_sigaction, number, default_action.data(), nullptr, kKernelSetBytes);
  }
}

UniqueFd ReceiveSignalsByDescriptor() {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);  // NOLINT(concurrency-mt-unsafe): one thread
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  return UniqueFd(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace

LauncherDescriptors SetUpLauncher(UniqueFd socket, const std::string& proc_root) {
  setsid();
  prctl(PR_SET_NAME, "sparkles-launch");  // 15 characters are all there is room for
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  SetDefaultDispositions();
  LauncherDescriptors descriptors;
  if (socket.get() == kSocketNumber) {
    descriptors.socket = std::move(socket);
  } else {
    descriptors.socket.reset(dup3(socket.get(), kSocketNumber, O_CLOEXEC));
    socket.reset();
  }
  CloseFrom(kSocketNumber + 1, proc_root);
  const UniqueFd null = OpenEmptyInput();
  const bool has_stderr = fcntl(STDERR_FILENO, F_GETFD) >= 0;
  const bool ready = descriptors.socket.valid() && null.valid() &&
                     dup2(null.get(), STDIN_FILENO) >= 0 && dup2(null.get(), STDOUT_FILENO) >= 0 &&
                     (has_stderr || dup2(null.get(), STDERR_FILENO) >= 0);
  descriptors.signals = ReceiveSignalsByDescriptor();
  if (!ready || !descriptors.signals.valid()) _exit(1);
  return descriptors;
}

}  // namespace sparkles
