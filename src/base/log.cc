#include "base/log.h"

#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
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

void WriteOrDrop(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

// What a reader who has stopped leaves no room for is dropped after a while. A pipe that poll says
// is writable takes PIPE_BUF bytes without blocking, if nobody else is quicker.
void WriteWithinASecond(int fd, absl::string_view text) {
  for (int waits = 0; !text.empty() && waits < 10;) {
    pollfd writable{fd, POLLOUT, 0};
    if (poll(&writable, 1, 100) <= 0) {
      ++waits;
      continue;
    }
    const ssize_t written = write(fd, text.data(), std::min<size_t>(text.size(), PIPE_BUF));
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
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
  WriteOrDrop(fd_, line);
}

void LogSink::WriteUrgently(Severity severity, absl::string_view message) {
  WriteWithinASecond(fd_, FormatLogLine(format_, severity, clock_.Now(), "", message));
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
  WriteOrDrop(fd_, absl::StrCat(kClearLine, text));
}

}  // namespace sparkles
