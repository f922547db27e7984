#include "doctor/report.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"

namespace sparkles {
namespace {

const char* NameOf(Level level) {
  switch (level) {
    case Level::kOk:
      return "OK";
    case Level::kWarn:
      return "WARN";
    case Level::kFail:
      return "FAIL";
    case Level::kSkip:
      return "SKIP";
  }
  return "";
}

int64_t CountOf(const std::vector<Finding>& findings, Level level) {
  return std::count_if(findings.begin(), findings.end(),
                       [level](const Finding& finding) { return finding.level == level; });
}

}  // namespace

std::string FormatFindings(const std::vector<Finding>& findings) {
  std::string out;
  for (const Finding& finding : findings) {
    std::string level = NameOf(finding.level);
    level.resize(6, ' ');
    absl::StrAppend(&out, level, finding.thing, ": ",
                    finding.level == Level::kSkip ? "not checked: " : "", finding.text);
    if (!finding.remedy.empty()) {
      absl::StrAppend(&out, absl::EndsWith(finding.text, ".") ? "" : ".",
                      " Remedy: ", finding.remedy);
    }
    absl::StrAppend(&out, "\n");
  }
  return out;
}

std::string FormatCounts(const std::vector<Finding>& findings) {
  return absl::StrCat(CountOf(findings, Level::kOk), " OK, ", CountOf(findings, Level::kWarn),
                      " WARN, ", CountOf(findings, Level::kFail), " FAIL, ",
                      CountOf(findings, Level::kSkip), " not checked\n");
}

std::string FormatJson(const std::vector<Finding>& findings, absl::string_view version) {
  OrderedJson list = OrderedJson::array();
  for (const Finding& finding : findings) {
    OrderedJson entry;
    entry["level"] = NameOf(finding.level);
    entry["check"] = finding.check;
    entry["thing"] = finding.thing;
    entry["finding"] = finding.text;
    if (!finding.remedy.empty()) entry["remedy"] = finding.remedy;
    list.push_back(std::move(entry));
  }
  OrderedJson report;
  report["version"] = std::string(version);
  report["ok"] = CountOf(findings, Level::kOk);
  report["warnings"] = CountOf(findings, Level::kWarn);
  report["failures"] = CountOf(findings, Level::kFail);
  report["not_checked"] = CountOf(findings, Level::kSkip);
  report["findings"] = std::move(list);
  return DumpJson(report) + "\n";
}

}  // namespace sparkles
