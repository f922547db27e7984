#include "monitor/process_status.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/fd.h"
#include "base/file.h"

namespace sparkles {
namespace {

// /proc/stat has a few hundred bytes a processor and one long line of interrupts.
constexpr size_t kMaxProcFile = 4 << 20;
// A unit times what a number of the kernel's can be stays far from where 64 bits end.
constexpr int64_t kHighest = std::numeric_limits<int64_t>::max() / (1 << 20);

int64_t Number(absl::string_view text) {
  int64_t number = 0;
  return absl::SimpleAtoi(text, &number) && number > 0 && number < kHighest ? number : 0;
}

std::string Content(const std::string& path) {
  auto content = ReadFile(path, kMaxProcFile);
  return content.ok() ? *std::move(content) : "";
}

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

// "SIZE RESIDENT SHARED TEXT LIB DATA DT", in pages. Nothing if the process is not there any more.
std::optional<std::array<int64_t, 7>> ReadPages(int proc_fd, const char* pid) {
  char path[32];
  (void)snprintf(path, sizeof path, "%.20s/statm", pid);
  const UniqueFd fd(openat(proc_fd, path, O_RDONLY | O_CLOEXEC));
  // A process that hides its numbers from us still is one.
  if (!fd.valid()) {
    if (errno == EACCES || errno == EPERM) return std::array<int64_t, 7>{};
    return std::nullopt;
  }
  char text[256];
  const ssize_t got = read(fd.get(), text, sizeof text);
  if (got <= 0) return std::nullopt;
  std::array<int64_t, 7> pages{};
  size_t index = 0;
  for (const absl::string_view field :
       absl::StrSplit(absl::string_view(text, static_cast<size_t>(got)), absl::ByAnyChar(" \n"))) {
    if (index == pages.size()) break;
    pages[index++] = Number(field);
  }
  return pages;
}

void AddProcesses(const std::string& proc_root, ProcessStatus& status) {
  const std::unique_ptr<DIR, CloseFolder> folder(opendir(proc_root.c_str()));
  if (!folder) return;
  const int64_t page = sysconf(_SC_PAGESIZE);
  while (const dirent* entry = readdir(folder.get())) {  // NOLINT(concurrency-mt-unsafe): own
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    const auto pages = ReadPages(dirfd(folder.get()), entry->d_name);
    if (!pages) continue;
    ++status.process_count;
    status.total_memory += (*pages)[0] * page;
    status.total_resident += (*pages)[1] * page;
    status.total_shared += (*pages)[2] * page;
    status.total_data += (*pages)[5] * page;
  }
}

// The line "cpu  USER NICE SYSTEM IDLE IOWAIT ..." of /proc/stat; old kernels end it sooner.
void AddTicks(absl::string_view stat, ProcessStatus& status) {
  for (absl::string_view line : absl::StrSplit(stat, '\n')) {
    if (!absl::ConsumePrefix(&line, "cpu ")) continue;
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
    const auto field = [&](size_t i) { return i < fields.size() ? Number(fields[i]) : 0; };
    status.cpu_user = field(0);
    status.cpu_system = field(2);
    status.cpu_idle = field(3);
    status.cpu_iowait = field(4);
    return;
  }
}

void AddMemory(absl::string_view meminfo, ProcessStatus& status) {
  bool has_available = false;
  for (const absl::string_view line : absl::StrSplit(meminfo, '\n')) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (fields.size() < 2) continue;
    const int64_t bytes = Number(fields[1]) * 1024;
    if (fields[0] == "MemTotal:") status.mem_total = bytes;
    if (fields[0] == "MemFree:") status.mem_free = bytes;
    if (fields[0] != "MemAvailable:") continue;
    status.mem_available = bytes;
    has_available = true;
  }
  // Kernels before 3.14 have no such line; what is free is available at any rate.
  if (!has_available) status.mem_available = status.mem_free;
}

// "some avg10=1.25 avg60=0.00 ..." and the same for "full", each on a line.
int32_t Pressure(absl::string_view text, absl::string_view kind) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::ConsumePrefix(&line, kind) || !absl::ConsumePrefix(&line, " avg10=")) continue;
    double percent = 0;
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
    if (!absl::SimpleAtod(fields[0], &percent) || !(percent >= 0 && percent <= 100)) return -1;
    return static_cast<int32_t>(std::lround(percent * 100));
  }
  return -1;
}

}  // namespace

ProcessStatus ReadProcessStatus(const std::string& proc_root) {
  ProcessStatus status;
  AddProcesses(proc_root, status);
  AddTicks(Content(absl::StrCat(proc_root, "/stat")), status);
  AddMemory(Content(absl::StrCat(proc_root, "/meminfo")), status);
  const std::string pressure = Content(absl::StrCat(proc_root, "/pressure/memory"));
  status.mem_pressure_some_avg10 = Pressure(pressure, "some");
  status.mem_pressure_full_avg10 = Pressure(pressure, "full");
  return status;
}

}  // namespace sparkles
