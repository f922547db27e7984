// Formats and parses the manifest of a checkpoint.
// Other programs can change the store, so the parser is strict: it refuses every text that
// FormatManifest would not write.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sparkles {

// The name of the manifest in the directory of the checkpoint.
inline constexpr char kManifestName[] = "manifest.json";
// A save of more files fails. The manifest of this many files has about 5 MB.
inline constexpr size_t kMaxCheckpointFiles = 20'000;
// A longer manifest is broken.
inline constexpr size_t kMaxManifestBytes = size_t{32} << 20;
// A save with a longer path fails. The rest of PATH_MAX (4096) is for the path of the task
// directory, into which the file is restored.
inline constexpr size_t kMaxCheckpointPathBytes = 2048;

// One version of one file of the checkpoint directory, and the data object that holds it.
struct SavedFile {
  std::string path;    // relative to the checkpoint directory
  std::string object;  // name of the data object, in the directory of the manifest
  uint64_t size = 0;   // bytes
  uint32_t mode = 0;   // permission bits
  absl::Time mtime;
  uint32_t crc32c = 0;     // of the content
  int64_t generation = 0;  // of the data object; 0 if the store has none

  friend bool operator==(const SavedFile&, const SavedFile&) = default;
};

struct Manifest {
  int attempt = 1;  // the attempt that saved the checkpoint; counts from 1
  absl::Time saved_at;
  std::string spec_sha256;  // hex
  absl::Time task_created;  // time of the task's first history entry
  std::vector<SavedFile> files;
};

// True if an entry with this name is saved: it does not begin with "." or end in ".tmp", and is
// valid UTF-8.
bool IsSavedName(absl::string_view name);

// JSON without a line end. Times have microseconds.
std::string FormatManifest(const Manifest& manifest);

// InvalidArgument unless all fields are there, each path stays in the directory and occurs once, no
// path leads through a file, and each object is a name that DataObjectName can return.
absl::StatusOr<Manifest> ParseManifest(absl::string_view text);

// The bytes of all files.
uint64_t TotalBytes(const std::vector<SavedFile>& files);

// Eight hex digits that all manifests and objects of a task have in common. Another task has other
// digits, and so has a task that was made again under the same id.
std::string TaskTag(absl::string_view spec_sha256, absl::Time task_created);

// The name of a data object: unique for each version of each file, and without a slash. `tags` are
// the hex digits of TaskTag and more that tell workers apart; `save` and `index` count within the
// attempt.
std::string DataObjectName(int attempt, absl::string_view tags, int64_t save, size_t index);

// The parts of the name of a data object that a removal compares.
struct DataObjectId {
  int attempt = 0;
  std::string task_tag;
};
// Nullopt if `name` is not the name of a data object.
std::optional<DataObjectId> ParseDataObjectName(absl::string_view name);

}  // namespace sparkles
