#include "process/wait_report.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "base/proc.h"
#include "base/text.h"
#include "process/kernel_state.h"
#include "process/process_tree.h"

namespace sparkles {
namespace {

constexpr size_t kMaxProcesses = 50;
constexpr int kMaxThreads = 20;      // besides the first one of a process
constexpr size_t kMaxLine = 1000;    // a kernel stack of about 20 functions
constexpr size_t kMaxBytes = 64000;  // of all lines

// Adds lines until their limit is reached.
class Lines {
 public:
  explicit Lines(std::vector<std::string>& lines) : lines_(lines) {}

  void Add(const std::string& line) {
    if (full_) return;
    std::string shown = CutText(line, kMaxLine);
    bytes_ += shown.size();
    full_ = bytes_ > kMaxBytes;
    lines_.push_back(full_ ? "... and more" : std::move(shown));
  }

 private:
  std::vector<std::string>& lines_;
  size_t bytes_ = 0;
  bool full_ = false;
};

void AddThreads(const std::string& process, pid_t pid, Lines& lines) {
  int others = 0;
  ForEachNumber(process + "/task", [&](pid_t thread) {
    if (thread == pid || ++others > kMaxThreads) return;
    const std::string directory = absl::StrCat(process, "/task/", thread);
    lines.Add(absl::StrCat("  thread ", thread, " '", ThreadName(directory),
                           "': ", DescribeKernelState(directory)));
  });
  if (others > kMaxThreads) {
    lines.Add(absl::StrCat("  ... and ", others - kMaxThreads, " more threads"));
  }
}

}  // namespace

void AddWaits(const std::string& proc_root, pid_t root, std::vector<std::string>& lines) {
  UnrelatedPids unrelated;
  std::vector<Descendant> processes =
      FindDescendants(proc_root, root, unrelated).value_or(std::vector<Descendant>());
  std::sort(processes.begin(), processes.end(), [](const Descendant& a, const Descendant& b) {
    return std::tie(a.entry.zombie, a.pid) < std::tie(b.entry.zombie, b.pid);
  });
  Lines limited(lines);
  for (size_t i = 0; i < std::min(processes.size(), kMaxProcesses); ++i) {
    const pid_t pid = processes[i].pid;
    const std::string directory = absl::StrCat(proc_root, "/", pid);
    limited.Add(absl::StrCat("process ", pid, " '", ThreadName(directory), "', parent ",
                             processes[i].entry.parent, ": ", DescribeKernelState(directory)));
    AddThreads(directory, pid, limited);
  }
  if (processes.size() > kMaxProcesses) {
    limited.Add(absl::StrCat("... and ", processes.size() - kMaxProcesses, " more processes"));
  }
}

}  // namespace sparkles
