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

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/json.h"
#include "base/text.h"

namespace sparkles {
namespace {

// A reader may stop for ever (a pager, Ctrl-S, a container's log driver), but the work must
// continue.
constexpr absl::Duration kWriteTimeout = absl::Seconds(1);
constexpr absl::Duration kUrgentTimeout = absl::Milliseconds(200);
constexpr absl::string_view kClearLine = "\r\x1b[K";

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

// Writes as much of `text` as possible within `timeout` and returns the number of bytes. If poll
// reports that a pipe is writable, PIPE_BUF bytes do not block, unless another process writes
// first. A file takes everything. A terminal may block (see ReopenNonBlocking).
size_t WriteWithin(absl::Duration timeout, int fd, absl::string_view text) {
  constexpr absl::Duration kPause = absl::Milliseconds(100);
  struct stat info;
  const bool is_file = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  size_t done = 0;
  absl::Duration waited;
  while (done < text.size()) {
    const int pause_ms =
        static_cast<int>(absl::ToInt64Milliseconds(std::min(kPause, timeout - waited)));
    pollfd writable{fd, POLLOUT, 0};
    const bool ready = poll(&writable, 1, pause_ms) > 0;
    const size_t left = text.size() - done;
    const ssize_t written =
        ready ? write(fd, text.data() + done, is_file ? left : std::min<size_t>(left, PIPE_BUF))
              : 0;
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

// poll reports that a terminal is writable when there is room for one byte, and a longer write
// blocks. O_NONBLOCK on a new open file prevents this. Invalid if `fd` is not a terminal, or
// without /proc.
UniqueFd ReopenNonBlocking(int fd) {
  if (isatty(fd) != 1) return UniqueFd();
  const std::string path = absl::StrCat("/proc/self/fd/", fd);
  return UniqueFd(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
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
      format_(format),
      threshold_(threshold),
      on_terminal_(format == LogFormat::kText && isatty(fd) == 1) {}

void LogSink::Write(Severity severity, absl::string_view task_id, absl::string_view message) {
  if (severity < threshold_) return;
  std::string line = FormatLogLine(format_, severity, clock_.Now(), task_id, message);
  MutexLock lock(mutex_);
  if (progress_shown_) line = absl::StrCat(kClearLine, line);
  progress_shown_ = false;
  if (dropped_ > 0) {
    line = absl::StrCat(FormatLogLine(format_, Severity::kWarning, clock_.Now(), "",
                                      absl::StrCat(dropped_,
                                                   " log lines were dropped: standard error "
                                                   "was blocked")),
                        line);
  }
  WriteOrDrop(line);
}

void LogSink::WriteOrDrop(absl::string_view text) {
  // An incomplete line must not join with the next one.
  const std::string whole = absl::StrCat(torn_ ? "\n" : "", text);
  // Only the first line waits for a reader that has stopped.
  const size_t done = WriteWithin(dropped_ > 0 ? absl::ZeroDuration() : kWriteTimeout, fd_, whole);
  if (done > 0) torn_ = done < whole.size();
  dropped_ = done == whole.size() ? 0 : dropped_ + 1;
}

void LogSink::WriteUrgently(Severity severity, absl::string_view message) {
  (void)WriteWithin(kUrgentTimeout, fd_,
                    FormatLogLine(format_, severity, clock_.Now(), "", message));
}

void LogSink::ShowProgress(absl::string_view line) {
  if (!on_terminal_) return;
  MutexLock lock(mutex_);
  if (line.empty() && !progress_shown_) return;
  progress_shown_ = !line.empty();
  winsize size{};
  const bool known = ioctl(fd_, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  // A line that wraps cannot be cleared.
  const std::string text = CutText(PrintableText(line), known ? size.ws_col - 1U : 79U);
  WriteOrDrop(absl::StrCat(kClearLine, text));
}

}  // namespace sparkles
