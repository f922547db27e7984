#include "checkpoint/remover.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/parallel.h"
#include "base/status.h"
#include "checkpoint/manifest.h"

namespace sparkles {
namespace {

// A task leaves fewer objects than this. The next removal, or a lifecycle rule of the bucket,
// removes objects above the limit.
constexpr size_t kMaxListed = 5 * kMaxCheckpointFiles;

// True for objects of this task's attempts up to the one that has ended.
bool IsOurs(const CheckpointObjects& checkpoint, const std::string& name) {
  const std::optional<DataObjectId> id = ParseDataObjectName(name);
  return id && id->attempt <= checkpoint.attempt && id->task_tag == checkpoint.tag;
}

// Removes a manifest with an unexpected generation, for example because the answer to its upload
// was lost. Keeps the manifest of another task or of a later attempt.
absl::Status RemoveOtherManifest(const CheckpointObjects& checkpoint, const ListedObject& listed,
                                 ObjectStore& store, const Activity& activity) {
  const std::string url = absl::StrCat(checkpoint.url, "/", kManifestName);
  ASSIGN_OR_RETURN(const auto text, store.ReadBytes(url, kMaxManifestBytes, activity));
  const absl::StatusOr<Manifest> manifest = ParseManifest(text.value_or(""));
  if (!manifest.ok() || manifest->attempt > checkpoint.attempt ||
      TaskTag(manifest->spec_sha256, manifest->task_created) != checkpoint.tag) {
    return absl::OkStatus();
  }
  return store.Remove(url, listed.generation, activity);
}

}  // namespace

absl::Status RemoveObjects(const std::string& url, const std::vector<ObjectVersion>& objects,
                           ObjectStore& store, int transfers, const Activity& activity) {
  Mutex mutex;
  absl::Status first;
  const absl::Status stopped = ParallelFor(objects.size(), transfers, [&](size_t i) {
    const ObjectVersion& object = objects[i];
    const absl::Status removed =
        store.Remove(absl::StrCat(url, "/", object.name), object.generation, activity);
    if (removed.ok()) return absl::OkStatus();
    // A refusal would repeat, and an outage has outlasted all retries.
    if (absl::IsPermissionDenied(removed) || absl::IsCancelled(removed) ||
        IsMachineFault(removed)) {
      return removed;
    }
    MutexLock lock(mutex);
    first.Update(removed);
    return absl::OkStatus();
  });
  return stopped.ok() ? first : stopped;
}

absl::Status RemoveCheckpoint(const CheckpointObjects& checkpoint, ObjectStore& store,
                              int transfers, const Activity& activity) {
  if (checkpoint.manifest_generation) {
    RETURN_IF_ERROR(store.Remove(absl::StrCat(checkpoint.url, "/", kManifestName),
                                 *checkpoint.manifest_generation, activity));
  }
  RETURN_IF_ERROR(RemoveObjects(checkpoint.url, checkpoint.objects, store, transfers, activity));
  if (!checkpoint.list) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<ListedObject> listed,
                   store.List(checkpoint.url, kMaxListed, activity));
  std::vector<ObjectVersion> rest;
  for (const ListedObject& object : listed) {
    if (object.name == kManifestName) {
      RETURN_IF_ERROR(RemoveOtherManifest(checkpoint, object, store, activity));
    }
    if (IsOurs(checkpoint, object.name)) rest.push_back({object.name, object.generation});
  }
  return RemoveObjects(checkpoint.url, rest, store, transfers, activity);
}

}  // namespace sparkles
