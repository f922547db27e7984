#include "checkpoint/restorer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/mutex.h"
#include "base/parallel.h"
#include "base/status.h"
#include "base/text.h"

namespace sparkles {
namespace {

// A worker that has lost its claim may replace the manifest once during the read.
constexpr int kMaxReads = 3;

// True for errors that a retry would repeat. The checkpoint is then useless.
bool IsFinal(const absl::Status& error) {
  return !error.ok() && !IsMachineFault(error) && !absl::IsCancelled(error);
}

// Another machine has the same limit for names, so a name that is too long is no machine fault.
absl::Status LocalError(const absl::Status& error) {
  if (ErrnoOf(error) != ENAMETOOLONG) return MachineFault(error);
  return absl::InvalidArgumentError("it has a file whose name is too long for this machine");
}

class Restorer {
 public:
  Restorer(const RestorerOptions& options, ObjectStore& store, Clock& clock,
           const Activity& activity)
      : options_(options),
        store_(store),
        clock_(clock),
        activity_(activity),
        // Beside the directory, because rename(2) must not cross file systems.
        arrival_(options.directory + ".restore") {}

  absl::StatusOr<FoundCheckpoint> Run() {
    FoundCheckpoint found;
    std::optional<std::string> seen;
    for (int reads = 0; reads < kMaxReads; ++reads) {
      int64_t generation = 0;
      const absl::StatusOr<std::optional<std::string>> text =
          store_.ReadBytes(UrlOf(kManifestName), kMaxManifestBytes, activity_, &generation);
      if (IsFinal(text.status())) {
        found.ignored = absl::StrCat("it cannot be read: ", text.status().message());
        return found;
      }
      RETURN_IF_ERROR(text.status());
      // Starts no download after an error, because the checkpoint is broken.
      if (reads > 0 && *text == seen) return found;
      found = FoundCheckpoint();
      if (!text->has_value()) return found;
      seen = *text;
      found.generation = generation;
      absl::StatusOr<Manifest> manifest = ParseManifest(**text);
      found.ignored = manifest.ok() ? options_.identity.ReasonToIgnore(*manifest)
                                    : std::string(manifest.status().message());
      if (manifest.ok()) found.manifest = *std::move(manifest);
      if (!found.ignored.empty() || found.manifest->files.empty()) return found;
      const absl::Status restored = RestoreFiles(*found.manifest, found.files);
      if (restored.ok()) return found;
      RETURN_IF_ERROR(RemoveTree(arrival_, activity_));
      if (!IsFinal(restored)) return restored;
      found.files.clear();
      found.ignored = std::string(restored.message());
    }
    return found;
  }

 private:
  std::string UrlOf(absl::string_view object) const {
    return absl::StrCat(options_.url, "/", object);
  }

  absl::Status RestoreFiles(const Manifest& manifest, KnownFiles& files);
  absl::StatusOr<KnownFile> RestoreFile(const SavedFile& file);

  const RestorerOptions& options_;
  ObjectStore& store_;
  Clock& clock_;
  const Activity& activity_;
  const std::string arrival_;
};

absl::Status Restorer::RestoreFiles(const Manifest& manifest, KnownFiles& files) {
  absl::Status made = RemoveTree(arrival_);
  if (made.ok()) made = MakeDirectories(arrival_);
  if (!made.ok()) return MachineFault(made);
  Mutex mutex;
  RETURN_IF_ERROR(ParallelFor(manifest.files.size(), options_.transfers, [&](size_t i) {
    ASSIGN_OR_RETURN(KnownFile file, RestoreFile(manifest.files[i]));
    MutexLock lock(mutex);
    files.emplace(manifest.files[i].path, std::move(file));
    return absl::OkStatus();
  }));
  // From now on each change of a file shows in its stamp.
  clock_.Sleep(kTimestampTick, activity_.cancel());
  // Replaces the empty directory.
  if (rename(arrival_.c_str(), options_.directory.c_str()) != 0) {
    return MachineFault(ErrnoError(errno, options_.directory));
  }
  return absl::OkStatus();
}

absl::StatusOr<KnownFile> Restorer::RestoreFile(const SavedFile& file) {
  const std::string path = absl::StrCat(arrival_, "/", file.path);
  if (absl::Status made = MakeDirectories(DirectoryOf(path)); !made.ok()) return LocalError(made);
  const absl::StatusOr<UniqueFd> fd = OpenFile(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (!fd.ok()) return LocalError(fd.status());
  ASSIGN_OR_RETURN(const ObjectInfo info,
                   store_.Download(UrlOf(file.object), fd->get(), activity_));
  if (info.size != file.size || info.crc32c != file.crc32c || info.generation != file.generation) {
    return absl::DataLossError(absl::StrCat(UrlOf(file.object), ": not the version of ",
                                            PrintableText(file.path), " that was saved"));
  }
  const timespec times[2] = {absl::ToTimespec(file.mtime), absl::ToTimespec(file.mtime)};
  struct stat now;
  if (fchmod(fd->get(), file.mode) != 0 || futimens(fd->get(), times) != 0 ||
      fstat(fd->get(), &now) != 0) {
    return MachineFault(ErrnoError(errno, path));
  }
  return KnownFile{.saved = file, .stamp = StampOf(now), .stamp_is_sure = true};
}

}  // namespace

absl::StatusOr<FoundCheckpoint> RestoreCheckpoint(const RestorerOptions& options,
                                                  ObjectStore& store, Clock& clock,
                                                  const Activity& activity) {
  return Restorer(options, store, clock, activity).Run();
}

}  // namespace sparkles
