#include "cli/machine_report.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/status.h"
#include "base/text.h"
#include "monitor/status_cache.h"

namespace sparkles {
namespace {

// Time between the two samples of the processors.
constexpr absl::Duration kPeriod = absl::Seconds(1);

double Percent(int64_t part, int64_t whole) {
  return whole <= 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string Bytes(int64_t bytes) { return HumanBytes(static_cast<double>(bytes)); }

std::string Pressure(int32_t hundredths) {
  return hundredths < 0 ? "unknown" : absl::StrFormat("%.2f%%", hundredths / 100.0);
}

int64_t Ticks(const ProcessStatus& status) {
  return status.cpu_user + status.cpu_system + status.cpu_idle + status.cpu_iowait;
}

// The load of the processors between two samples. `before` is the older one.
std::string Processors(const ProcessStatus& before, const ProcessStatus& now) {
  const int64_t total = Ticks(now) - Ticks(before);
  if (total <= 0) return "unknown";
  return absl::StrFormat("user %.1f%%, system %.1f%%, waiting for disks %.1f%%",
                         Percent(now.cpu_user - before.cpu_user, total),
                         Percent(now.cpu_system - before.cpu_system, total),
                         Percent(now.cpu_iowait - before.cpu_iowait, total));
}

std::string Format(const std::string& processors, const ProcessStatus& now) {
  const int64_t used = now.mem_total - now.mem_available;
  return absl::StrCat(
      "processes        ", now.process_count, ", resident ", Bytes(now.total_resident),
      " (shared pages count in each: ", Bytes(now.total_shared), ")\n", "processors       ",
      processors, "\n", "memory           ", Bytes(used), " of ", Bytes(now.mem_total), " in use",
      absl::StrFormat(" (%.1f%%), ", Percent(used, now.mem_total)), Bytes(now.mem_free),
      " untouched\n", "memory pressure  some ", Pressure(now.mem_pressure_some_avg10), ", full ",
      Pressure(now.mem_pressure_full_avg10), " of the last 10 s\n");
}

}  // namespace

absl::StatusOr<std::string> DescribeMachine(absl::FunctionRef<absl::StatusOr<ProcessStatus>()> ask,
                                            Clock& clock) {
  CancelToken never;
  ASSIGN_OR_RETURN(const ProcessStatus before, ask());
  ProcessStatus now = before;
  // Ticks of idle time count, too. If no count has changed, the answer came from the Monitor's
  // cache, which soon returns another one. If all counts are 0, the machine does not provide them.
  absl::Duration waited;
  while (Ticks(before) > 0 && Ticks(now) <= Ticks(before) && waited <= StatusCache::kMaxAge) {
    clock.Sleep(kPeriod, never);
    waited += kPeriod;
    ASSIGN_OR_RETURN(now, ask());
  }
  return Format(Processors(before, now), now);
}

}  // namespace sparkles
