#include "process/process_runner.h"

#include <fcntl.h>

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sparkles {
namespace {

// Linux takes at most 6 MiB of arguments and environment together (execve(2)).
constexpr size_t kMaxText = 8 << 20;

absl::Status CheckTexts(const std::vector<std::string>& texts, absl::string_view name,
                        size_t& total) {
  for (size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].find('\0') != std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat(name, "[", i, "]: holds a NUL"));
    }
    total += texts[i].size() + 1;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckCommand(const Command& command) {
  if (command.argv.empty()) return absl::InvalidArgumentError("argv: empty");
  size_t total = 0;
  RETURN_IF_ERROR(CheckTexts(command.argv, "argv", total));
  RETURN_IF_ERROR(CheckTexts(command.environment, "environment", total));
  RETURN_IF_ERROR(CheckTexts({command.directory}, "directory", total));
  if (total > kMaxText) {
    return absl::InvalidArgumentError(
        absl::StrCat("argv and environment: ", total, " bytes are more than Linux accepts"));
  }
  if (fcntl(command.output_fd, F_GETFD) < 0) {
    return absl::InvalidArgumentError("output_fd: not an open descriptor");
  }
  return absl::OkStatus();
}

}  // namespace sparkles
