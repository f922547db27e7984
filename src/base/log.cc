#include "base/log.h"

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

// A reader may stop for ever (a pager, Ctrl-S, a container's log driver); the work must not.
constexpr absl::Duration kPatience = absl::Seconds(1);
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

// Writes `text` as far as `fd` takes it without blocking for longer than `patience`; true if all of
// it is out. A pipe that poll says is writable takes PIPE_BUF bytes without blocking, if nobody
// else is quicker; a file takes all at once.
bool WriteWithin(absl::Duration patience, int fd, absl::string_view text) {
  constexpr absl::Duration kPause = absl::Milliseconds(100);
  struct stat info;
  const bool is_file = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  absl::Duration waited;
  while (!text.empty()) {
    const absl::Duration pause = std::min(kPause, patience - waited);
    pollfd writable{fd, POLLOUT, 0};
    if (poll(&writable, 1, static_cast<int>(absl::ToInt64Milliseconds(pause))) <= 0) {
      waited += pause;
      if (waited >= patience) return false;
      continue;
    }
    const size_t part = is_file ? text.size() : std::min<size_t>(text.size(), PIPE_BUF);
    const ssize_t written = write(fd, text.data(), part);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
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
      fd_(fd),
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
                                                   " lines of this log were dropped: "
                                                   "nobody read it")),
                        line);
  }
  WriteOrDrop(line);
}

void LogSink::WriteOrDrop(absl::string_view text) {
  // Only the first line waits for a reader who has stopped.
  if (WriteWithin(dropped_ > 0 ? absl::ZeroDuration() : kPatience, fd_, text)) {
    dropped_ = 0;
  } else {
    ++dropped_;
  }
}

void LogSink::WriteUrgently(Severity severity, absl::string_view message) {
  (void)WriteWithin(kPatience, fd_, FormatLogLine(format_, severity, clock_.Now(), "", message));
}

void LogSink::ShowProgress(absl::string_view line) {
  if (!on_terminal_) return;
  MutexLock lock(mutex_);
  if (line.empty() && !progress_shown_) return;
  progress_shown_ = !line.empty();
  winsize size{};
  const bool known = ioctl(fd_, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  // A line that wraps could not be cleared again.
  const std::string text = CutText(PrintableText(line), known ? size.ws_col - 1U : 79U);
  WriteOrDrop(absl::StrCat(kClearLine, text));
}

}  // namespace sparkles
