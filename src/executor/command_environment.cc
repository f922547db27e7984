#include "executor/command_environment.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace sparkles {
namespace {

constexpr const char* kNames[] = {"GOOGLE_GHA_CREDS_PATH", "BOTO_CONFIG", "BOTO_PATH"};
constexpr const char* kStarts[] = {"CLOUDSDK_", "AWS_CONTAINER_CREDENTIALS_"};
constexpr const char* kEnds[] = {"TOKEN",      "SECRET",           "PASSWD",      "API_KEY",
                                 "APIKEY",     "CREDENTIALS",      "ACCESS_KEY",  "ACCESS_KEY_ID",
                                 "SECRET_KEY", "CREDENTIALS_FILE", "PRIVATE_KEY", "TOKEN_FILE"};
// Also within a word (PGPASSWORD); PWD itself, and OLDPWD, are the shell's.
constexpr const char* kLooseEnds[] = {"PASSWORD", "PASSPHRASE", "_PWD"};

}  // namespace

bool IsSecretVariable(absl::string_view name) {
  const std::string upper = absl::AsciiStrToUpper(name);
  const auto is = [&](const char* whole) { return upper == whole; };
  const auto starts = [&](const char* start) { return absl::StartsWith(upper, start); };
  const auto ends = [&](const char* end) {
    absl::string_view before = upper;
    return absl::ConsumeSuffix(&before, end) && (before.empty() || absl::EndsWith(before, "_"));
  };
  const auto ends_loosely = [&](const char* end) { return absl::EndsWith(upper, end); };
  return std::any_of(std::begin(kNames), std::end(kNames), is) ||
         std::any_of(std::begin(kStarts), std::end(kStarts), starts) ||
         std::any_of(std::begin(kEnds), std::end(kEnds), ends) ||
         std::any_of(std::begin(kLooseEnds), std::end(kLooseEnds), ends_loosely);
}

CommandEnvironment MakeCommandEnvironment(const std::vector<std::string>& variables,
                                          const std::vector<std::string>& pass) {
  CommandEnvironment environment;
  for (const std::string& variable : variables) {
    const std::string name = variable.substr(0, variable.find('='));
    if (IsSecretVariable(name) && std::find(pass.begin(), pass.end(), name) == pass.end()) {
      environment.withheld.push_back(name);
    } else {
      environment.variables.push_back(variable);
    }
  }
  std::sort(environment.withheld.begin(), environment.withheld.end());
  return environment;
}

}  // namespace sparkles
