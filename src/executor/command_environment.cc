#include "executor/command_environment.h"

#include <fnmatch.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sparkles {
namespace {

constexpr char kMonitorSecret[] = "SPARKLES_MONITOR_SECRET";
constexpr char kWithholdVariable[] = "SPARKLES_WITHHOLD_ENV=";

std::string NameOf(const std::string& text) { return text.substr(0, text.find('=')); }

std::vector<std::string> AllPatterns(const std::vector<std::string>& variables,
                                     std::vector<std::string> patterns) {
  for (const std::string& variable : variables) {
    if (!absl::StartsWith(variable, kWithholdVariable)) continue;
    const std::string list = variable.substr(sizeof kWithholdVariable - 1);
    for (const absl::string_view pattern : absl::StrSplit(list, ',')) {
      patterns.emplace_back(absl::StripAsciiWhitespace(pattern));
    }
  }
  return patterns;
}

}  // namespace

CommandEnvironment MakeCommandEnvironment(const std::vector<std::string>& variables,
                                          const EnvironmentRules& rules) {
  const std::vector<std::string> patterns = AllPatterns(variables, rules.withhold);
  const auto is_withheld = [&](const std::string& name) {
    if (name == kMonitorSecret) return true;
    if (std::find(rules.pass.begin(), rules.pass.end(), name) != rules.pass.end()) return false;
    return std::any_of(patterns.begin(), patterns.end(), [&name](const std::string& pattern) {
      return fnmatch(NameOf(pattern).c_str(), name.c_str(), 0) == 0;
    });
  };
  CommandEnvironment environment;
  for (const std::string& variable : variables) {
    std::string name = NameOf(variable);
    if (is_withheld(name)) {
      environment.withheld.push_back(std::move(name));
    } else {
      environment.variables.push_back(variable);
    }
  }
  std::sort(environment.withheld.begin(), environment.withheld.end());
  return environment;
}

std::vector<std::string> TaskEnvironment(const std::vector<std::string>& base, const Task& task,
                                         int attempt) {
  std::vector<std::string> environment;
  for (const std::string& variable : base) {
    if (!absl::StartsWith(variable, "SPARKLES_TASK_") &&
        !absl::StartsWith(variable, "SPARKLES_JOB_ID=") &&
        !absl::StartsWith(variable, "SPARKLES_CHECKPOINT_DIR=") &&
        !absl::StartsWith(variable, "SPARKLES_RESTORED=") &&
        !absl::StartsWith(variable, "SPARKLES_ATTEMPT=")) {
      environment.push_back(variable);
    }
  }
  environment.push_back(absl::StrCat("SPARKLES_TASK_ID=", task.id));
  environment.push_back(absl::StrCat("SPARKLES_JOB_ID=", task.job_id));
  environment.push_back(absl::StrCat("SPARKLES_TASK_INDEX=", task.index));
  environment.push_back(absl::StrCat("SPARKLES_ATTEMPT=", attempt));
  return environment;
}

}  // namespace sparkles
