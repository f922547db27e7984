#include "summary/words.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/text.h"

namespace sparkles {

std::string SecondsText(std::optional<double> seconds) {
  return seconds ? absl::StrFormat("%.2f s", *seconds) : "-";
}

std::string CpusText(std::optional<double> cpus) {
  if (!cpus) return "-";
  if (*cpus >= 9.95 || *cpus == std::floor(*cpus)) return absl::StrFormat("%.0f", *cpus);
  return *cpus < 0.095 ? absl::StrFormat("%.2f", *cpus) : absl::StrFormat("%.1f", *cpus);
}

std::string BytesText(std::optional<double> bytes) { return bytes ? HumanBytes(*bytes) : "-"; }

std::string MachineText(const Machine& machine) {
  std::vector<std::string> parts;
  if (!machine.type.empty()) parts.push_back(PrintableText(CutText(machine.type, 100)));
  if (machine.cpus) {
    parts.push_back(
        absl::StrCat(CpusText(machine.cpus), *machine.cpus == 1 ? " processor" : " processors"));
  }
  if (machine.memory_bytes) {
    parts.push_back(absl::StrCat(BytesText(machine.memory_bytes), " of memory"));
  }
  return absl::StrJoin(parts, ", ");
}

std::string TasksText(size_t count) { return absl::StrCat(count, count == 1 ? " task" : " tasks"); }

}  // namespace sparkles
