#include "checkpoint/save_plan.h"

#include <algorithm>
#include <cstdint>
#include <tuple>

#include "absl/time/time.h"

namespace sparkles {

std::vector<ScannedFile> ChangedFiles(const Scan& scan, const KnownFiles& known) {
  std::vector<ScannedFile> changed;
  for (const ScannedFile& file : scan.files) {
    const auto found = known.find(file.path);
    const bool same =
        found != known.end() && found->second.stamp_is_sure && found->second.stamp == file.stamp;
    if (!same) changed.push_back(file);
  }
  return changed;
}

std::vector<std::string> RemovedPaths(const Scan& scan, const KnownFiles& known) {
  std::vector<std::string> removed;
  auto file = scan.files.begin();  // both are sorted
  for (const auto& [path, version] : known) {
    while (file != scan.files.end() && file->path < path) ++file;
    if (file == scan.files.end() || file->path != path) removed.push_back(path);
  }
  return removed;
}

void PutMostValuableFirst(std::vector<ScannedFile>& files) {
  const auto rank = [](const ScannedFile& file) {
    return std::tuple(-absl::ToUnixSeconds(file.stamp.mtime), file.stamp.size, file.path);
  };
  std::sort(files.begin(), files.end(),
            [&](const ScannedFile& a, const ScannedFile& b) { return rank(a) < rank(b); });
}

}  // namespace sparkles
