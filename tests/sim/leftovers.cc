#include "tests/sim/leftovers.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "queue/claim_journal.h"

namespace sparkles {
namespace {

namespace fs = std::filesystem;

// A claim that was never seen may be committed for so long yet (docs/wire-contract.md section 9.1:
// 270 s), and who looks after it does so now and then.
constexpr absl::Duration kMayLand = absl::Seconds(300);

std::vector<fs::path> Entries(const std::string& folder) {
  std::vector<fs::path> paths;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

bool IsUnsettled(const fs::path& journal, absl::Time now) {
  const auto entries = ParseJournal(ReadFile(journal.string(), 1 << 20).value_or(""));
  return std::any_of(entries.begin(), entries.end(),
                     [&](const JournalEntry& entry) { return now - entry.sent_at < kMayLand; });
}

bool IsEntryName(absl::string_view name) {
  return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

// The lock of an input whose fetching a crash has ended goes with the next fetch.
bool BelongsIntoCache(const fs::path& path) {
  const std::string file = path.filename().string();
  absl::string_view name = file;
  if (absl::ConsumeSuffix(&name, ".lock") && IsEntryName(name)) {
    return !fs::exists(path.parent_path() / std::string(name));
  }
  absl::ConsumeSuffix(&name, ".ok");
  return IsEntryName(name) || file == "uses.lock";
}

}  // namespace

std::vector<std::string> LeftBehind(const std::string& folder, bool may_keep, absl::Time now) {
  std::vector<std::string> left;
  for (const fs::path& path : Entries(folder + "/tasks")) {
    const bool kept = absl::StartsWith(path.filename().string(), "task-") && may_keep &&
                      !fs::exists(path / ".lock") && fs::exists(path / "work");
    const bool open = path.extension() == ".journal" && IsUnsettled(path, now);
    if (!kept && !open) left.push_back(path.string());
  }
  for (const fs::path& path : Entries(folder + "/cache")) {
    if (!BelongsIntoCache(path)) left.push_back(path.string());
  }
  return left;
}

}  // namespace sparkles
