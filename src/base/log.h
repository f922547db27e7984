// Writes the worker's log to stderr, one line a message, for people or (JSON) for Cloud Logging.
// A terminal may show a status block below the log.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mutex.h"
#include "base/status_block.h"

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
// gives their number. If a part of a line was written, the rest follows later.
class LogSink {
 public:
  // Borrows `clock` and the descriptor `fd`, which must stay open. Messages below `threshold` are
  // not printed.
  LogSink(Clock& clock, int fd, LogFormat format, Severity threshold);

  void Write(Severity severity, absl::string_view task_id, absl::string_view message);
  // Writes a line of another process that is already formatted, without its line end.
  void WriteLine(absl::string_view line);
  // Like Write, but without lock and threshold, within 0.2 s, for callers that must not wait. The
  // line may be lost, or be mixed with another line.
  void WriteUrgently(Severity severity, absl::string_view message);

  // True if a status block can be shown: `fd` is a terminal, and the format is text.
  bool on_terminal() const { return on_terminal_; }
  // The size of the terminal. 80 x 24 if the terminal does not know its size.
  TerminalSize Size() const;
  // Replaces the status block (see StatusBlock::Show), which stays below all lines of the log.
  // Never waits: if the terminal is blocked, the block stays as it is. Does nothing without
  // on_terminal(), while another job of the shell owns the terminal, or if another process shows a
  // block on it.
  void ShowBlock(const std::vector<std::string>& lines, TerminalSize size);
  // The same for a terminal that knows no escape sequences (see StatusBlock::ShowDumb).
  void ShowLine(absl::string_view line);
  void RemoveBlock();
  // Removes the status block for good, within 0.2 s. Takes no lock: call it before _exit.
  void EndBlock();

 private:
  // Prints whole lines above the block.
  void Print(absl::string_view lines) ABSL_LOCKS_EXCLUDED(mutex_);
  // Writes the bytes that `change` returns, after which the block is as `change` has left it.
  void ChangeBlock(absl::FunctionRef<std::string(StatusBlock& block)> change)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // True if this process may show a block now.
  bool MayShowBlock() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Writes `bytes`, after which the block is `next`. False if nothing was written.
  bool Commit(absl::string_view bytes, StatusBlock next, absl::Duration timeout)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool is_blocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return dropped_ > 0 || !unwritten_.empty();
  }
  size_t WriteWithin(absl::Duration timeout, absl::string_view text) const;

  Clock& clock_;
  const UniqueFd terminal_;
  const int fd_;
  const bool takes_any_size_;  // a write of any size does not block
  const LogFormat format_;
  const Severity threshold_;
  const bool on_terminal_;
  Mutex mutex_;
  StatusBlock block_ ABSL_GUARDED_BY(mutex_);
  int64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;    // lines since the last written one
  bool reserved_ ABSL_GUARDED_BY(mutex_) = false;  // no other process may show a block
  std::string unwritten_ ABSL_GUARDED_BY(mutex_);  // the rest of what was written in part
  // For the calls without lock.
  std::atomic<bool> block_shown_ = false;  // block_.shown(), unless such a call removed the block
  std::atomic<size_t> dumb_columns_ = 0;   // block_.dumb_columns()
  std::atomic<bool> block_ended_ = false;
  std::atomic<bool> committing_ = false;
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
