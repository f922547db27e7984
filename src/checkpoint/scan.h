// Finds the files of a checkpoint directory, with attributes that show later changes.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/activity.h"
#include "base/file_id.h"

namespace sparkles {

// The attributes of a regular file. Each change of its content changes one of them, unless it
// happens within kTimestampTick of the last one.
struct FileStamp {
  uint64_t size = 0;  // bytes
  absl::Time mtime;
  absl::Time ctime;
  FileId id;
  uint32_t mode = 0;  // permission bits

  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};
FileStamp StampOf(const struct stat& info);

struct ScannedFile {
  std::string path;  // relative to the directory
  FileStamp stamp;
};

struct Scan {
  std::vector<ScannedFile> files;  // sorted by path
  // The number of entries whose names are not UTF-8, which a manifest cannot hold.
  int unusable_names = 0;
};

// Maximum depth of nested directories. A deeper directory makes a scan fail.
inline constexpr int kMaxCheckpointDepth = 32;

// Finds all regular files in `directory` and below whose names, and the names of the directories
// above them, are saved (IsSavedName). Does not follow symlinks or enter directories of other file
// systems. Leaves out files that are removed during the scan. Each entry is work of `activity`,
// whose cancellation ends the scan. Errors: Cancelled, NotFound (no such directory),
// FailedPrecondition (not a directory, over kMaxCheckpointFiles files, too deep, or a path over
// kMaxCheckpointPathBytes), errno.
absl::StatusOr<Scan> ScanCheckpoint(const std::string& directory,
                                    const Activity& activity = Activity());

}  // namespace sparkles
