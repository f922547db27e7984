// Shows the progress of a long transfer in one line on the terminal.
#pragma once

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"

namespace sparkles {

// Thread-safe. Shows nothing in the first second, and then updates the line at most five times a
// second. The destructor clears the line. Does nothing if stderr is not a terminal.
class Progress {
 public:
  // Borrows `clock` and `sink`. `what` begins the line, for example "uploading".
  Progress(Clock& clock, LogSink& sink, absl::string_view what, size_t files);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void AddBytes(uint64_t bytes);
  void AddFile();

 private:
  void Show() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Clock& clock_;
  LogSink& sink_;
  const std::string what_;
  const size_t files_;
  const absl::Time start_;
  Mutex mutex_;
  absl::Time next_show_ ABSL_GUARDED_BY(mutex_);
  uint64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t files_done_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sparkles
