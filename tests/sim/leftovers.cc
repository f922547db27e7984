#include "tests/sim/leftovers.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace sparkles {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> Entries(const std::string& directory) {
  std::vector<fs::path> paths;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(directory, none)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

bool IsEntryName(absl::string_view name) {
  return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

// If a crash ended a fetch, the lock of that input stays until the next fetch of the input.
bool IsExpectedInCache(const fs::path& path) {
  const std::string file = path.filename().string();
  absl::string_view name = file;
  if (absl::ConsumeSuffix(&name, ".lock") && IsEntryName(name)) {
    return !fs::exists(path.parent_path() / std::string(name));
  }
  absl::ConsumeSuffix(&name, ".ok");
  return IsEntryName(name) || file == "uses.lock";
}

}  // namespace

std::vector<std::string> UnexpectedFiles(const std::string& directory, bool may_keep) {
  std::vector<std::string> left;
  for (const fs::path& path : Entries(directory + "/tasks")) {
    const bool kept = absl::StartsWith(path.filename().string(), "task-") && may_keep &&
                      !fs::exists(path / ".lock") && fs::exists(path / "work");
    if (!kept) left.push_back(path.string());
  }
  for (const fs::path& path : Entries(directory + "/cache")) {
    if (!IsExpectedInCache(path)) left.push_back(path.string());
  }
  return left;
}

}  // namespace sparkles
