// Finds the files of a checkpoint directory, and tells later whether a file has changed.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
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
  // Entries with names that are not UTF-8, which no manifest can hold.
  int unusable_names = 0;
};

// Directories in each other; deeper ones make a scan fail.
inline constexpr int kMaxCheckpointDepth = 32;

// All regular files in `directory` and below whose names, and those of the directories above them,
// are saved (IsSavedName). Follows no symlink, and enters no other file system. Errors: NotFound
// (no such directory), FailedPrecondition (something else has its name, over kMaxCheckpointFiles
// files, or too deep), errno. Files that vanish meanwhile are left out.
absl::StatusOr<Scan> ScanCheckpoint(const std::string& directory);

}  // namespace sparkles
