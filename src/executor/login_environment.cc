#include "executor/login_environment.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace sparkles {
namespace {

constexpr char kPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
// A socket's path has at most 107 bytes, of which Python's multiprocessing needs 32 below TMPDIR.
constexpr size_t kMaxTempDirectory = 75;
// A longer entry counts as missing.
constexpr size_t kMaxEntry = 16 << 10;

// The value of the variable `name`; empty if the variable is missing.
std::string ValueOf(absl::string_view name, const std::vector<std::string>& variables) {
  const std::string start = absl::StrCat(name, "=");
  for (const std::string& variable : variables) {
    if (absl::StartsWith(variable, start)) return variable.substr(start.size());
  }
  return "";
}

void Set(absl::string_view name, absl::string_view value, std::vector<std::string>& variables) {
  const std::string start = absl::StrCat(name, "=");
  std::erase_if(variables,
                [&](const std::string& variable) { return absl::StartsWith(variable, start); });
  variables.push_back(absl::StrCat(start, value));
}

bool IsWritableDirectory(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) &&
         access(path.c_str(), W_OK | X_OK) == 0;
}

}  // namespace

LoginUser FindLoginUser() {
  passwd entry;
  passwd* found = nullptr;
  std::string buffer(kMaxEntry, '\0');
  if (getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return {};
  }
  return {found->pw_name, found->pw_dir};
}

void AddLoginVariables(const std::string& directory, const std::string& temp_directory,
                       absl::FunctionRef<LoginUser()> find_user,
                       std::vector<std::string>& variables) {
  const auto is_missing = [&](absl::string_view name) { return ValueOf(name, variables).empty(); };
  if (is_missing("SHELL")) Set("SHELL", "/bin/sh", variables);
  if (is_missing("PATH")) Set("PATH", kPath, variables);
  if (is_missing("TMPDIR") && temp_directory.size() <= kMaxTempDirectory) {
    Set("TMPDIR", temp_directory, variables);
  }
  if (!is_missing("HOME") && !is_missing("USER") && !is_missing("LOGNAME")) return;
  const LoginUser user = find_user();
  if (is_missing("HOME")) {
    Set("HOME", IsWritableDirectory(user.home) ? user.home : directory, variables);
  }
  std::string name = ValueOf("USER", variables);
  if (name.empty()) name = ValueOf("LOGNAME", variables);
  if (name.empty()) name = user.name;
  if (name.empty()) name = absl::StrCat(geteuid());
  if (is_missing("USER")) Set("USER", name, variables);
  if (is_missing("LOGNAME")) Set("LOGNAME", name, variables);
}

}  // namespace sparkles
