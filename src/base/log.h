// Writes the worker's log to stderr, one line a message, for people or (JSON) for Cloud Logging.
// A terminal may show a progress line, which every message must clear first.
#pragma once

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mutex.h"

namespace sparkles {

enum class Severity { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

// One message as a line, with its line end. Text: "2026-01-31T12:00:00.123Z INFO  [task] message".
// JSON: one object with Cloud Logging's fields `severity`, `time`, `message`, and `task_id`. Line
// ends and other control characters in the message are escaped.
std::string FormatLogLine(LogFormat format, Severity severity, absl::Time time,
                          absl::string_view task_id, absl::string_view message);

// Writes lines to a descriptor. Thread-safe. Each line of up to PIPE_BUF (4096) bytes is one
// write(2). A closed or blocked stderr never stops the work: a line that cannot be written within a
// second is dropped, and the next lines are dropped at once until there is room. Then a message
// gives their number.
class LogSink {
 public:
  // Borrows `clock` and the descriptor `fd`, which must stay open. Messages below `threshold` are
  // not printed. A progress line is shown only if `fd` is a terminal.
  LogSink(Clock& clock, int fd, LogFormat format, Severity threshold);

  void Write(Severity severity, absl::string_view task_id, absl::string_view message);
  // The same without lock and threshold, within 0.2 s, for callers that must not wait. The line may
  // be lost, or be mixed with another line.
  void WriteUrgently(Severity severity, absl::string_view message);
  // Replaces the progress line; an empty `line` clears it. Does nothing if `fd` is not a terminal.
  void ShowProgress(absl::string_view line);
  bool on_terminal() const { return on_terminal_; }

 private:
  void WriteOrDrop(absl::string_view text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Clock& clock_;
  const UniqueFd terminal_;
  const int fd_;
  const LogFormat format_;
  const Severity threshold_;
  const bool on_terminal_;
  Mutex mutex_;
  bool progress_shown_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;  // lines since the last written one
  bool torn_ ABSL_GUARDED_BY(mutex_) = false;    // the last line is incomplete
};

// A small handle on a sink, perhaps for one task. Copyable. The sink must outlive it.
class Log {
 public:
  explicit Log(LogSink& sink, absl::string_view task_id = "") : sink_(&sink), task_id_(task_id) {}
  Log WithTask(absl::string_view task_id) const { return Log(*sink_, task_id); }
  LogSink& sink() const { return *sink_; }

  template <typename... Parts>
  void Debug(const Parts&... parts) const {
    sink_->Write(Severity::kDebug, task_id_, absl::StrCat(parts...));
  }
  template <typename... Parts>
  void Info(const Parts&... parts) const {
    sink_->Write(Severity::kInfo, task_id_, absl::StrCat(parts...));
  }
  template <typename... Parts>
  void Warning(const Parts&... parts) const {
    sink_->Write(Severity::kWarning, task_id_, absl::StrCat(parts...));
  }
  template <typename... Parts>
  void Error(const Parts&... parts) const {
    sink_->Write(Severity::kError, task_id_, absl::StrCat(parts...));
  }

 private:
  LogSink* sink_;
  std::string task_id_;
};

}  // namespace sparkles
