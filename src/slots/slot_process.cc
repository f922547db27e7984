#include "slots/slot_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace sparkles {
namespace {

// The first argument of a slot, before its place. No user types this.
constexpr char kMark[] = "(slot)";
constexpr int kAddedArguments = 2;
constexpr int kChannelNumber = STDERR_FILENO + 1;
constexpr int kBoardNumber = STDERR_FILENO + 2;
// The path works even if the program's file has been replaced or removed.
constexpr char kSelf[] = "/proc/self/exe";

// Descriptors that the parent keeps open for each slot: the channel and a pipe.
constexpr rlim_t kDescriptorsOfSlot = 2;
// For the Monitor, its clients, health checks and the start of a slot.
constexpr rlim_t kOwnDescriptors = 128;

// A duplicate whose number is not that of another descriptor of the slot.
UniqueFd MoveAway(int fd) { return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, kBoardNumber + 1)); }

// Between fork and exec: only async-signal-safe calls.
void BecomeSlot(pid_t parent, const SlotDescriptors& descriptors, char* const* arguments) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // the parent died before the request was in force
  setsid();
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (dup2(descriptors.channel, kChannelNumber) < 0 || dup2(descriptors.board, kBoardNumber) < 0 ||
      (descriptors.log >= 0 && dup2(descriptors.log, STDERR_FILENO) < 0)) {
    return;
  }
#ifdef SYS_close_range
  constexpr unsigned kCloseOnExec = 4;  // CLOSE_RANGE_CLOEXEC, which old headers lack
  // A library may have opened a descriptor for all programs.
  syscall(SYS_close_range, kBoardNumber + 1, ~0U, kCloseOnExec);
#endif
  setrlimit(RLIMIT_NOFILE, &descriptors.limit);
  execv(kSelf, arguments);
}

bool IsChannel(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

std::optional<SlotPlace> ParsePlace(const char* text) {
  const std::vector<absl::string_view> numbers = absl::StrSplit(text, '/');
  SlotPlace place;
  const bool valid = numbers.size() == 2 && absl::SimpleAtoi(numbers[0], &place.number) &&
                     absl::SimpleAtoi(numbers[1], &place.count) && place.number >= 0 &&
                     place.number < place.count;
  return valid ? std::optional(place) : std::nullopt;
}

}  // namespace

absl::StatusOr<rlimit> PrepareForSlots(int slots) {
  if (access(kSelf, X_OK) != 0) {
    return ErrnoError(errno, absl::StrCat(kSelf,
                                          ", which slots need; mount /proc, or use "
                                          "--slots 1"));
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return ErrnoError(errno, "limit of open files");
  const rlim_t needed = static_cast<rlim_t>(slots) * kDescriptorsOfSlot + kOwnDescriptors;
  if (needed <= limit.rlim_cur) return limit;
  if (needed > limit.rlim_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat(slots, " slots need ", needed, " open files, and the limit is ",
                     limit.rlim_max, "; raise the limit (ulimit -n), or use fewer slots"));
  }
  const rlimit raised = {needed, limit.rlim_max};
  if (setrlimit(RLIMIT_NOFILE, &raised) != 0) return ErrnoError(errno, "limit of open files");
  return limit;
}

absl::StatusOr<pid_t> StartSlot(const SlotPlace& place, const std::vector<std::string>& arguments,
                                const SlotDescriptors& descriptors) {
  std::vector<std::string> texts = {arguments.at(0), kMark,
                                    absl::StrCat(place.number, "/", place.count)};
  texts.insert(texts.end(), arguments.begin() + 1, arguments.end());
  std::vector<char*> argv;
  for (std::string& text : texts) argv.push_back(text.data());
  argv.push_back(nullptr);
  const UniqueFd channel = MoveAway(descriptors.channel);
  const UniqueFd board = MoveAway(descriptors.board);
  int ends[2];
  if (!channel.valid() || !board.valid() || pipe2(ends, O_CLOEXEC) != 0) {
    return ErrnoError(errno, "a descriptor for the slot");
  }
  const UniqueFd failure(ends[0]);
  UniqueFd report(ends[1]);
  UniqueFd moved_report = MoveAway(report.get());
  report.reset();
  if (!moved_report.valid()) return ErrnoError(errno, "a descriptor for the slot");
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return ErrnoError(errno, "fork");
  if (pid == 0) {
    SlotDescriptors moved = descriptors;
    moved.channel = channel.get();
    moved.board = board.get();
    BecomeSlot(parent, moved, argv.data());
    const int error = errno;
    (void)!write(moved_report.get(), &error, sizeof error);
    _exit(1);
  }
  moved_report.reset();
  int error = 0;
  if (RetryOnEintr([&] { return read(failure.get(), &error, sizeof error); }) != sizeof error) {
    return pid;
  }
  (void)RetryOnEintr([pid] { return waitpid(pid, nullptr, 0); });
  return ErrnoError(error, kSelf);
}

std::optional<SlotOrigin> TakeSlotOrigin(int& argc, char** argv) {
  if (argc < 1 + kAddedArguments || strcmp(argv[1], kMark) != 0 || !IsChannel(kChannelNumber)) {
    return std::nullopt;
  }
  const std::optional<SlotPlace> place = ParsePlace(argv[2]);
  if (!place) return std::nullopt;
  std::copy(argv + 1 + kAddedArguments, argv + argc + 1, argv + 1);  // with the null pointer
  argc -= kAddedArguments;
  SlotOrigin origin = {*place, UniqueFd(kChannelNumber), UniqueFd(kBoardNumber)};
  for (const int fd : {kChannelNumber, kBoardNumber}) fcntl(fd, F_SETFD, FD_CLOEXEC);
  return origin;
}

}  // namespace sparkles
