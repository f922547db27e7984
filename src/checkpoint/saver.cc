#include "checkpoint/saver.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/directory.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/random.h"
#include "base/status.h"

namespace sparkles {
namespace {

constexpr char kDataType[] = "application/octet-stream";
constexpr char kManifestType[] = "application/json";

std::string RandomTag() { return absl::StrFormat("%08x", RandomSeed()); }

absl::Status ChangedMeanwhile(const std::string& path) {
  return absl::AbortedError(absl::StrCat(path, ": changed while it was saved"));
}

// True if `files` has a file below `path`, or a file whose path is a directory in `path`.
bool IsInTheWay(const std::string& path, const KnownFiles& files) {
  const std::string below = path + "/";
  const auto next = files.lower_bound(below);
  if (next != files.end() && absl::StartsWith(next->first, below)) return true;
  for (size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    if (files.contains(path.substr(0, slash))) return true;
  }
  return false;
}

// True for errors that would also stop all other files.
bool EndsTheSave(const absl::Status& error) {
  return absl::IsCancelled(error) || absl::IsPermissionDenied(error) || IsMachineFault(error);
}

}  // namespace

CheckpointSaver::CheckpointSaver(SaverOptions options, ObjectStore& store, Clock& clock,
                                 CheckClaim check_claim)
    : options_(std::move(options)),
      store_(store),
      clock_(clock),
      check_claim_(std::move(check_claim)),
      tags_(options_.identity.tag() + RandomTag()) {}

void CheckpointSaver::SetStoredCheckpoint(FoundCheckpoint found) {
  manifest_generation_ = found.generation;
  // An earlier attempt may have been killed while it saved, even before its first manifest.
  unsure_ = true;
  if (!found.manifest) return;
  if (found.restored()) {
    known_ = std::move(found.files);
    saved_at_ = found.manifest->saved_at;
    return;
  }
  const Manifest& other = *found.manifest;
  const bool same_task = TaskTag(other.spec_sha256, other.task_created) == options_.identity.tag();
  if (same_task && other.attempt >= options_.identity.attempt) return;  // its attempt may need it
  for (const SavedFile& file : other.files) {
    ignored_.push_back({file.object, file.generation});
  }
}

absl::Status CheckpointSaver::Save(const Limits& limits) {
  const absl::Time started = clock_.Now();
  ASSIGN_OR_RETURN(const Scan scan, ScanCheckpoint(options_.directory, limits.data));
  scan_time_ = clock_.Now() - started;
  unusable_names_ = scan.unusable_names;
  std::vector<ScannedFile> changed = ChangedFiles(scan, known_);
  const std::vector<std::string> removed = RemovedPaths(scan, known_);
  if (changed.empty() && removed.empty()) return absl::OkStatus();
  if (limits.hurry) PutMostValuableFirst(changed);
  ++tries_;
  std::vector<Sent> sent(changed.size());
  const absl::Status status = SendFiles(changed, limits.data, sent);
  for (const Sent& one : sent) {
    if (one.version || one.object.empty()) continue;
    if (one.stored) {
      garbage_.push_back({one.object, one.stored->generation});
    } else {
      unsure_ = true;
    }
  }
  const KnownFiles next = Merge(changed, sent, removed);
  const bool news = next.size() != known_.size() ||
                    std::any_of(sent.begin(), sent.end(),
                                [](const Sent& one) { return one.version.has_value(); });
  if (news) {
    const absl::Status ready = PrepareManifest(next, limits);
    if (!ready.ok()) {
      RemoveSent(sent, limits);
      return ready;
    }
    const absl::Status written = WriteManifest(next, limits);
    if (!written.ok()) {
      unsure_ = true;  // it may have been written
      return written;
    }
    AddGarbage(next);
    known_ = next;
  }
  if (!limits.hurry) RemoveGarbage(limits.manifest);
  return status;
}

absl::Status CheckpointSaver::SendFiles(const std::vector<ScannedFile>& changed,
                                        const Activity& activity, std::vector<Sent>& sent) {
  ASSIGN_OR_RETURN(const UniqueFd directory,
                   OpenFile(options_.directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  const absl::Status stopped = ParallelFor(changed.size(), options_.transfers, [&](size_t i) {
    sent[i].object = DataObjectName(options_.identity.attempt, tags_, tries_, i);
    sent[i].failed = SendFile(directory.get(), changed[i], activity, sent[i]);
    return EndsTheSave(sent[i].failed) ? sent[i].failed : absl::OkStatus();
  });
  if (!stopped.ok()) return stopped;
  for (const Sent& one : sent) {
    // Aborted: the file changed meanwhile, and the next save tries again.
    if (!one.failed.ok() && !absl::IsAborted(one.failed)) return one.failed;
  }
  return absl::OkStatus();
}

absl::Status CheckpointSaver::SendFile(int directory_fd, const ScannedFile& file,
                                       const Activity& activity, Sent& sent) {
  const absl::Time now = clock_.Now();
  const absl::StatusOr<UniqueFd> fd =
      OpenBelow(directory_fd, file.path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
  if (absl::IsNotFound(fd.status())) return ChangedMeanwhile(file.path);
  // Not a refusal of the store, which would end the save.
  if (absl::IsPermissionDenied(fd.status())) {
    return absl::FailedPreconditionError(fd.status().message());
  }
  RETURN_IF_ERROR(fd.status());
  const auto is_changed = [&]() -> absl::StatusOr<bool> {
    struct stat info;
    if (fstat(fd->get(), &info) != 0) return ErrnoError(errno, file.path);
    FileStamp stamp = StampOf(info);
    // A file that was removed, or replaced by rename(2), is still the whole version. Only its ctime
    // has changed.
    if (info.st_nlink == 0) stamp.ctime = file.stamp.ctime;
    return stamp != file.stamp;
  };
  ASSIGN_OR_RETURN(const bool changed_before, is_changed());
  if (changed_before) return ChangedMeanwhile(file.path);
  UploadOptions upload;
  upload.content_type = kDataType;
  upload.before_replacing = [] { return absl::CancelledError("the object's name is taken"); };
  ASSIGN_OR_RETURN(const ObjectInfo info,
                   store_.Upload(fd->get(), UrlOf(sent.object), upload, activity));
  sent.stored = info;
  ASSIGN_OR_RETURN(const bool changed_after, is_changed());
  if (changed_after) return ChangedMeanwhile(file.path);
  sent.version = KnownFile{.saved = {.path = file.path,
                                     .object = sent.object,
                                     .size = info.size,
                                     .mode = file.stamp.mode,
                                     .mtime = file.stamp.mtime,
                                     .crc32c = info.crc32c,
                                     .generation = info.generation},
                           .stamp = file.stamp,
                           .stamp_is_sure = now - file.stamp.ctime > kTimestampTick};
  return absl::OkStatus();
}

// A removed file stays in the checkpoint while a new file is not saved, because the new file may
// replace the removed one. It does not stay if a saved file is now in its place.
KnownFiles CheckpointSaver::Merge(const std::vector<ScannedFile>& changed,
                                  const std::vector<Sent>& sent,
                                  const std::vector<std::string>& removed) const {
  KnownFiles next = known_;
  bool complete = true;
  for (size_t i = 0; i < changed.size(); ++i) {
    if (sent[i].version) {
      next.insert_or_assign(changed[i].path, *sent[i].version);
    } else if (!next.contains(changed[i].path)) {
      complete = false;
    }
  }
  for (const std::string& path : removed) {
    if (complete || IsInTheWay(path, next)) next.erase(path);
  }
  return next;
}

absl::Status CheckpointSaver::PrepareManifest(const KnownFiles& files, const Limits& limits) {
  // New files together with removed ones that stay (Merge).
  if (files.size() > kMaxCheckpointFiles) {
    return absl::FailedPreconditionError(
        absl::StrCat("the checkpoint would have more than ", kMaxCheckpointFiles, " files"));
  }
  // A checkpoint must not survive a power cut that its files do not survive.
  if (!limits.hurry) RETURN_IF_ERROR(store_.Flush());
  return check_claim_(limits.manifest.cancel());
}

// No manifest names these objects, so this attempt may remove them even without the claim.
void CheckpointSaver::RemoveSent(const std::vector<Sent>& sent, const Limits& limits) {
  std::vector<ObjectVersion> objects;
  for (const Sent& one : sent) {
    if (one.version) objects.push_back({one.object, one.version->saved.generation});
  }
  const bool removed =
      !limits.hurry &&
      RemoveObjects(options_.url, objects, store_, options_.transfers, limits.manifest).ok();
  if (!removed) unsure_ = true;
}

absl::Status CheckpointSaver::WriteManifest(const KnownFiles& files, const Limits& limits) {
  Manifest manifest{.attempt = options_.identity.attempt,
                    .saved_at = clock_.Now(),
                    .spec_sha256 = options_.identity.spec_sha256,
                    .task_created = options_.identity.task_created,
                    .files = {}};
  for (const auto& [path, file] : files) manifest.files.push_back(file.saved);
  const std::string text = FormatManifest(manifest);
  if (text.size() > kMaxManifestBytes) {
    return absl::FailedPreconditionError(absl::StrCat(options_.directory, ": the paths of its ",
                                                      files.size(), " files are too long"));
  }
  const CancelToken& cancel = limits.manifest.cancel();
  UploadOptions upload;
  upload.content_type = kManifestType;
  upload.known_generation = manifest_generation_.value_or(0);
  upload.before_replacing = [&] { return check_claim_(cancel); };
  ASSIGN_OR_RETURN(const ObjectInfo info,
                   store_.UploadBytes(text, UrlOf(kManifestName), upload, limits.manifest));
  manifest_generation_ = info.generation;
  saved_at_ = manifest.saved_at;
  ++saves_;
  return limits.hurry ? absl::OkStatus() : store_.Flush();
}

void CheckpointSaver::AddGarbage(const KnownFiles& next) {
  for (const auto& [path, old] : known_) {
    const auto now = next.find(path);
    if (now == next.end() || now->second.saved.object != old.saved.object) {
      garbage_.push_back({old.saved.object, old.saved.generation});
    }
  }
  garbage_.insert(garbage_.end(), ignored_.begin(), ignored_.end());
  ignored_.clear();
}

// Asks for the claim again. While the claim stands, no other attempt can use an older manifest that
// needs the removed objects.
void CheckpointSaver::RemoveGarbage(const Activity& activity) {
  if (garbage_.empty() || !removal_refused_.ok()) return;
  if (!check_claim_(activity.cancel()).ok()) return;
  const absl::Status removed =
      RemoveObjects(options_.url, garbage_, store_, options_.transfers, activity);
  if (absl::IsPermissionDenied(removed)) removal_refused_ = removed;
  if (removed.ok()) {
    garbage_.clear();
  } else {
    unsure_ = true;
  }
}

std::vector<SavedFile> CheckpointSaver::files() const {
  std::vector<SavedFile> files;
  for (const auto& [path, file] : known_) files.push_back(file.saved);
  return files;
}

std::optional<CheckpointObjects> CheckpointSaver::ObjectsToRemove() const {
  if (!manifest_generation_ && tries_ == 0) return std::nullopt;
  CheckpointObjects checkpoint{.url = options_.url,
                               .manifest_generation = manifest_generation_,
                               .objects = garbage_,
                               .list = unsure_,
                               .attempt = options_.identity.attempt,
                               .tag = options_.identity.tag()};
  checkpoint.objects.insert(checkpoint.objects.end(), ignored_.begin(), ignored_.end());
  for (const auto& [path, file] : known_) {
    checkpoint.objects.push_back({file.saved.object, file.saved.generation});
  }
  return checkpoint;
}

std::string CheckpointSaver::UrlOf(absl::string_view object) const {
  return absl::StrCat(options_.url, "/", object);
}

}  // namespace sparkles
