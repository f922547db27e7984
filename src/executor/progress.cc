#include "executor/progress.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace sparkles {

Progress::Progress(Clock& clock, LogSink& sink, absl::string_view what, size_t files)
    : clock_(clock),
      sink_(sink),
      what_(what),
      files_(files),
      start_(clock.Now()),
      next_show_(start_ + absl::Seconds(1)) {}

Progress::~Progress() { sink_.ShowBlock({}, {}); }

void Progress::AddBytes(uint64_t bytes) {
  if (!sink_.on_terminal()) return;
  MutexLock lock(mutex_);
  bytes_ += bytes;
  Show();
}

void Progress::AddFile() {
  if (!sink_.on_terminal()) return;
  MutexLock lock(mutex_);
  ++files_done_;
  Show();
}

void Progress::Show() {
  const absl::Time now = clock_.Now();
  if (now < next_show_) return;
  next_show_ = now + absl::Milliseconds(200);
  const double seconds = std::max(absl::ToDoubleSeconds(now - start_), 0.001);
  const auto bytes = static_cast<double>(bytes_);
  const TerminalSize size = sink_.Size();
  const std::string line = absl::StrCat(what_, ": ", files_done_, " of ", files_, " files, ",
                                        HumanBytes(bytes), ", ", HumanBytes(bytes / seconds), "/s");
  sink_.ShowBlock({CutText(line, static_cast<size_t>(size.columns) - 1)}, size);
}

}  // namespace sparkles
