#include "process/progress_watch.h"

#include <sys/stat.h>

#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/log_line.h"
#include "base/proc.h"
#include "process/monotonic.h"
#include "process/wait_report.h"

namespace sparkles {
namespace {

constexpr char kOutputName[] = "the command's output";

// Appends the fields of /proc/PID/stat that show progress: page faults and CPU time, each also of
// the children that were waited for, and the start time, because an id can be used again.
void AppendCounts(absl::string_view stat, std::string& text) {
  constexpr size_t kFirst = 7;   // minflt, the tenth field of the file
  constexpr size_t kLast = 14;   // cstime
  constexpr size_t kStart = 19;  // starttime
  const size_t name_end = stat.rfind(')');
  if (name_end == absl::string_view::npos) return;
  const std::vector<absl::string_view> fields =
      absl::StrSplit(stat.substr(name_end + 1), ' ', absl::SkipEmpty());
  for (size_t i = kFirst; i < fields.size() && i <= kStart; ++i) {
    if (i <= kLast || i == kStart) absl::StrAppend(&text, fields[i], " ");
  }
}

uint64_t MarkOf(const std::string& directory, pid_t pid) {
  char buffer[1024];
  std::string text = absl::StrCat(pid, " ");
  AppendCounts(ReadOnce(directory + "/stat", buffer, sizeof buffer), text);
  absl::StrAppend(&text, ReadOnce(directory + "/io", buffer, sizeof buffer));
  // CPU time in nanoseconds: stat has it in steps of 10 ms, and a poll of a server takes less.
  const std::string threads = directory + "/task";
  ForEachNumber(threads, [&](int thread) {
    const std::string path = absl::StrCat(threads, "/", thread, "/schedstat");
    absl::StrAppend(&text, ReadOnce(path, buffer, sizeof buffer));
  });
  return std::hash<std::string>()(text);
}

}  // namespace

std::optional<uint64_t> ProgressMark(const std::string& proc_root, pid_t root,
                                     UnrelatedPids& unrelated) {
  const auto descendants = FindDescendants(proc_root, root, unrelated);
  if (!descendants) return std::nullopt;
  uint64_t mark = 0;  // a sum, because the descendants have no order
  for (const Descendant& descendant : *descendants) {
    mark += MarkOf(absl::StrCat(proc_root, "/", descendant.pid), descendant.pid);
  }
  return mark;
}

ProgressWatch::ProgressWatch(std::string proc_root, pid_t root, int output_fd,
                             absl::Duration timeout)
    : proc_root_(std::move(proc_root)),
      root_(root),
      output_fd_(output_fd),
      timeout_(timeout),
      on_(timeout != absl::InfiniteDuration()),
      silence_(timeout) {}

absl::Duration ProgressWatch::UntilNextLook() const {
  return on_ ? next_look_ - BootNow() : absl::InfiniteDuration();
}

bool ProgressWatch::SeesNoProgress() {
  if (!on_) return false;
  const absl::Duration now = BootNow();
  if (now < next_look_) return false;
  next_look_ = now + silence_.interval();
  if (!ShowsOwnIds(proc_root_)) {
    on_ = false;
    const std::string line = absl::StrCat("--noProgressTimeout has no effect: ", proc_root_,
                                          " does not show the processes of the command");
    (void)AppendLogLines(output_fd_, {line}, kOutputName);
    return false;
  }
  return silence_.Note(now, Look());
}

std::optional<uint64_t> ProgressWatch::Look() {
  // The last look must see all processes, even one with the id of an earlier, unrelated process.
  if (looks_++ % kUnrelatedPidsLifetime == 0 || silence_.IsAlmostComplete()) unrelated_.clear();
  const std::optional<uint64_t> mark = ProgressMark(proc_root_, root_, unrelated_);
  struct stat output;
  if (!mark || fstat(output_fd_, &output) != 0) return mark;
  return *mark ^ std::hash<int64_t>()(output.st_size);
}

void ProgressWatch::ReportWaits() const {
  std::vector<std::string> lines = {
      absl::StrCat("no progress for ", absl::FormatDuration(timeout_),
                   " (--noProgressTimeout); the command is ended. Its processes:")};
  AddWaits(proc_root_, root_, lines);
  (void)AppendLogLines(output_fd_, lines, kOutputName);
}

}  // namespace sparkles
