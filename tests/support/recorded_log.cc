#include "tests/support/recorded_log.h"

#include <fcntl.h>

#include "base/file.h"

namespace sparkles {

RecordedLog::RecordedLog()
    : fd_(*OpenFile(directory_ / "log", O_CREAT | O_WRONLY | O_APPEND)),
      sink_(clock_, fd_.get(), LogFormat::kText, Severity::kDebug) {}

std::string RecordedLog::Text() const { return *ReadFile(directory_ / "log", 16 << 20); }

}  // namespace sparkles
