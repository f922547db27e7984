#include "monitor/process_status.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/proc.h"

namespace sparkles {
namespace {

// A unit times what a number of the kernel's can be stays far from where 64 bits end.
constexpr int64_t kHighest = std::numeric_limits<int64_t>::max() / (1 << 20);

int64_t Sensible(int64_t number) { return number > 0 && number < kHighest ? number : 0; }

int64_t Number(absl::string_view text) {
  int64_t number = 0;
  return absl::SimpleAtoi(text, &number) ? Sensible(number) : 0;
}

// "SIZE RESIDENT SHARED TEXT LIB DATA DT", in pages. Nothing if the process is not there any more.
std::optional<std::array<int64_t, 7>> ReadPages(const std::string& proc_root, pid_t pid) {
  char buffer[256];
  const absl::string_view text =
      ReadOnce(absl::StrCat(proc_root, "/", pid, "/statm"), buffer, sizeof buffer);
  std::array<int64_t, 7> pages{};
  if (text.empty()) {
    // A process that hides its numbers from us still is one.
    return errno == EACCES || errno == EPERM ? std::optional(pages) : std::nullopt;
  }
  size_t index = 0;
  for (const absl::string_view field : absl::StrSplit(text, absl::ByAnyChar(" \n"))) {
    if (index == pages.size()) break;
    pages[index++] = Number(field);
  }
  return pages;
}

void AddProcesses(const std::string& proc_root, ProcessStatus& status) {
  const int64_t page = sysconf(_SC_PAGESIZE);
  ForEachNumber(proc_root, [&](pid_t pid) {
    const auto pages = ReadPages(proc_root, pid);
    if (!pages) return;
    ++status.process_count;
    status.total_memory += (*pages)[0] * page;
    status.total_resident += (*pages)[1] * page;
    status.total_shared += (*pages)[2] * page;
    status.total_data += (*pages)[5] * page;
  });
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
  const auto bytes = [](std::optional<int64_t> kilobytes) {
    return Sensible(kilobytes.value_or(0)) * 1024;
  };
  status.mem_total = bytes(FindNumber(meminfo, "MemTotal"));
  status.mem_free = bytes(FindNumber(meminfo, "MemFree"));
  // Kernels before 3.14 have no such line; what is free is available at any rate.
  const std::optional<int64_t> available = FindNumber(meminfo, "MemAvailable");
  status.mem_available = available ? bytes(available) : status.mem_free;
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
  AddTicks(ReadProcFile(proc_root + "/stat"), status);
  AddMemory(ReadProcFile(proc_root + "/meminfo"), status);
  const std::string pressure = ReadProcFile(proc_root + "/pressure/memory");
  status.mem_pressure_some_avg10 = Pressure(pressure, "some");
  status.mem_pressure_full_avg10 = Pressure(pressure, "full");
  return status;
}

}  // namespace sparkles
