#include "process/kernel_state.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/proc.h"

namespace sparkles {
namespace {

// The lines of a file, joined by `separator`. Empty if the file cannot be read.
std::string ReadText(const std::string& path, absl::string_view separator) {
  char buffer[8192];
  const absl::string_view text = ReadOnce(path, buffer, sizeof buffer);
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  std::string joined;
  for (const absl::string_view line : lines) {
    absl::StrAppend(&joined, joined.empty() ? "" : separator, line);
  }
  return joined;
}

// The state in the text of /proc/TID/status, for example "S (sleeping)".
std::string StateOf(const std::string& status) {
  for (absl::string_view line : absl::StrSplit(status, '\v')) {
    if (absl::ConsumePrefix(&line, "State:")) {
      return std::string(absl::StripAsciiWhitespace(line));
    }
  }
  return "state unknown";
}

}  // namespace

std::string DescribeKernelState(const std::string& directory) {
  std::string text = StateOf(ReadText(directory + "/status", "\v"));
  const std::string wchan = ReadText(directory + "/wchan", "");
  if (!wchan.empty() && wchan != "0") absl::StrAppend(&text, ", waits in ", wchan);
  const std::string call = ReadText(directory + "/syscall", "");
  if (!call.empty()) absl::StrAppend(&text, ", system call ", call.substr(0, call.find(' ')));
  std::string stack = ReadText(directory + "/stack", " < ");
  absl::StrReplaceAll({{"[<0>] ", ""}}, &stack);  // a hidden address
  if (!stack.empty()) absl::StrAppend(&text, ", kernel stack: ", stack);
  return text;
}

std::string ThreadName(const std::string& directory) { return ReadText(directory + "/comm", ""); }

}  // namespace sparkles
