#include "base/log.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/file_lock.h"
#include "base/json.h"
#include "base/text.h"

namespace sparkles {
namespace {

// A reader may stop for ever (a pager, Ctrl-S, a container's log driver), but the work must
// continue.
constexpr absl::Duration kWriteTimeout = absl::Seconds(1);
constexpr absl::Duration kUrgentTimeout = absl::Milliseconds(200);
// Interval at which EndBlock looks whether a write has ended.
constexpr absl::Duration kEndPause = absl::Milliseconds(10);

absl::string_view NameOf(Severity severity) {
  switch (severity) {
    case Severity::kDebug:
      return "DEBUG";
    case Severity::kInfo:
      return "INFO";
    case Severity::kWarning:
      return "WARNING";
    case Severity::kError:
      return "ERROR";
  }
  return "DEFAULT";
}

// poll reports that a terminal is writable when there is room for one byte, and a longer write
// blocks. O_NONBLOCK on a new open file prevents this. Invalid if `fd` is not a terminal, or
// without /proc.
UniqueFd ReopenNonBlocking(int fd) {
  if (isatty(fd) != 1) return UniqueFd();
  const std::string path = absl::StrCat("/proc/self/fd/", fd);
  return UniqueFd(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

bool IsFile(int fd) {
  struct stat info;
  return fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

}  // namespace

std::string FormatLogLine(LogFormat format, Severity severity, absl::Time time,
                          absl::string_view task_id, absl::string_view message) {
  const std::string stamp = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
  if (format == LogFormat::kJson) {
    Json line = {{"severity", std::string(NameOf(severity))},
                 {"time", stamp},
                 {"message", std::string(message)}};
    if (!task_id.empty()) line["task_id"] = std::string(task_id);
    return absl::StrCat(DumpJson(line), "\n");
  }
  const std::string task = task_id.empty() ? "" : absl::StrCat("[", PrintableText(task_id), "] ");
  return absl::StrFormat("%s %-7s %s%s\n", stamp, NameOf(severity), task, PrintableText(message));
}

LogSink::LogSink(Clock& clock, int fd, LogFormat format, Severity threshold)
    : clock_(clock),
      terminal_(ReopenNonBlocking(fd)),
      fd_(terminal_.valid() ? terminal_.get() : fd),
      takes_any_size_(terminal_.valid() || IsFile(fd)),
      format_(format),
      threshold_(threshold),
      on_terminal_(format == LogFormat::kText && isatty(fd) == 1) {}

void LogSink::Write(Severity severity, absl::string_view task_id, absl::string_view message) {
  if (severity < threshold_) return;
  Print(FormatLogLine(format_, severity, clock_.Now(), task_id, message));
}

void LogSink::WriteLine(absl::string_view line) {
  // An escape sequence would disturb the block.
  Print(absl::StrCat(on_terminal_ ? PrintableText(line) : std::string(line), "\n"));
}

void LogSink::Print(absl::string_view lines) {
  MutexLock lock(mutex_);
  std::string bytes(lines);
  if (dropped_ > 0) {
    const std::string message =
        absl::StrCat(dropped_, " log lines were dropped: standard error was blocked");
    bytes =
        absl::StrCat(FormatLogLine(format_, Severity::kWarning, clock_.Now(), "", message), lines);
  }
  committing_ = true;
  StatusBlock next = block_;
  if (!block_shown_ || !MayShowBlock()) next.Forget();
  if (next.shown()) bytes = next.PrintAbove(bytes, Size());
  // Only the first line waits for a reader that has stopped.
  const absl::Duration timeout = is_blocked() ? absl::ZeroDuration() : kWriteTimeout;
  dropped_ = Commit(bytes, std::move(next), timeout) ? 0 : dropped_ + 1;
}

bool LogSink::Commit(absl::string_view bytes, StatusBlock next, absl::Duration timeout) {
  const std::string whole = absl::StrCat(unwritten_, bytes);
  const size_t done = WriteWithin(timeout, whole);
  const bool begun = done > unwritten_.size() || done == whole.size();
  unwritten_ = begun ? whole.substr(done) : unwritten_.substr(done);
  if (begun) block_ = std::move(next);
  dumb_columns_ = block_.dumb_columns();
  if (!block_ended_) block_shown_ = block_.shown();
  committing_ = false;
  return begun;
}

// Writes as much of `text` as possible within `timeout` and returns the number of bytes. If poll
// reports that a pipe is writable, PIPE_BUF bytes do not block, unless another process writes
// first.
size_t LogSink::WriteWithin(absl::Duration timeout, absl::string_view text) const {
  constexpr absl::Duration kPause = absl::Milliseconds(100);
  const size_t most = takes_any_size_ ? text.size() : PIPE_BUF;
  size_t done = 0;
  absl::Duration waited;
  while (done < text.size()) {
    const int pause_ms =
        static_cast<int>(absl::ToInt64Milliseconds(std::min(kPause, timeout - waited)));
    pollfd writable{fd_, POLLOUT, 0};
    const bool ready = poll(&writable, 1, pause_ms) > 0;
    const size_t size = std::min(text.size() - done, most);
    const ssize_t written = ready ? write(fd_, text.data() + done, size) : 0;
    if (written > 0) {
      done += static_cast<size_t>(written);
    } else if (written == 0 || errno == EAGAIN) {
      if (ready) (void)poll(nullptr, 0, pause_ms);
      waited += kPause;
      if (waited > timeout) break;
    } else if (errno != EINTR) {
      break;
    }
  }
  return done;
}

void LogSink::WriteUrgently(Severity severity, absl::string_view message) {
  const std::string line = FormatLogLine(format_, severity, clock_.Now(), "", message);
  const bool shown = block_shown_.exchange(false);
  (void)WriteWithin(kUrgentTimeout,
                    absl::StrCat(shown ? StatusBlock::EraseBytes(dumb_columns_) : "", line));
}

TerminalSize LogSink::Size() const {
  winsize size{};
  if (ioctl(fd_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

bool LogSink::MayShowBlock() {
  if (block_ended_ || !on_terminal_) return false;
  const pid_t owner = tcgetpgrp(fd_);  // fails without job control
  if (owner >= 0 && owner != getpgrp()) return false;
  // The lock ends with the process. Without locks, each process shows its block.
  if (!reserved_) reserved_ = TryLockByte(fd_, 0, ByteLock::kExclusive, "terminal").value_or(true);
  return reserved_;
}

void LogSink::ShowBlock(const std::vector<std::string>& lines, TerminalSize size) {
  // Lines for another size would be wrapped. The next call has the present size.
  ChangeBlock(
      [&](StatusBlock& block) { return size == Size() ? block.Show(lines, size) : std::string(); });
}

void LogSink::ShowLine(absl::string_view line) {
  ChangeBlock([&](StatusBlock& block) { return block.ShowDumb(line, Size()); });
}

void LogSink::RemoveBlock() {
  ChangeBlock([](StatusBlock& block) { return block.Remove(); });
}

void LogSink::ChangeBlock(absl::FunctionRef<std::string(StatusBlock& block)> change) {
  MutexLock lock(mutex_);
  committing_ = true;
  StatusBlock next = block_;
  const bool may_show = MayShowBlock();
  if (!may_show || !block_shown_) next.Forget();
  const std::string bytes = may_show ? change(next) : "";
  (void)Commit(bytes, std::move(next), absl::ZeroDuration());
}

void LogSink::EndBlock() {
  block_ended_ = true;
  absl::Duration waited;
  for (; committing_ && waited < kUrgentTimeout; waited += kEndPause) {
    absl::SleepFor(kEndPause);
  }
  if (block_shown_.exchange(false)) {
    (void)WriteWithin(kUrgentTimeout, StatusBlock::EraseBytes(dumb_columns_));
  }
}

}  // namespace sparkles
