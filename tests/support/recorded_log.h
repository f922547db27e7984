// A worker's log that a test can read.
#pragma once

#include <string>

#include "base/log.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_directory.h"

namespace sparkles {

// Text lines of every severity, with the time of a clock that stands still.
class RecordedLog {
 public:
  RecordedLog();

  LogSink& sink() { return sink_; }
  Log log() { return Log(sink_); }
  // All lines so far.
  std::string Text() const;

 private:
  TempDirectory directory_;
  FakeClock clock_;
  UniqueFd fd_;
  LogSink sink_;
};

}  // namespace sparkles
