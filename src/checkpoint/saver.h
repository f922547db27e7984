// Saves the changed files of a checkpoint directory to a store.
// Objects are never overwritten, and the manifest is written last. So a manifest always names whole
// versions, and a worker that has lost its claim destroys nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/activity.h"
#include "base/clock.h"
#include "base/fd.h"
#include "checkpoint/identity.h"
#include "checkpoint/remover.h"
#include "checkpoint/restorer.h"
#include "checkpoint/save_plan.h"
#include "storage/object_store.h"

namespace sparkles {

// Asks the queue about the claim until `cancel` is cancelled. OK if the claim stands. Thread-safe.
using CheckClaim = std::function<absl::Status(const CancelToken& cancel)>;

struct SaverOptions {
  std::string directory;  // the local checkpoint directory
  std::string url;        // the checkpoint in the store (CheckpointUrl)
  CheckpointIdentity identity;
  int transfers = 32;  // files that move at a time
};

// Used by one thread at a time.
class CheckpointSaver {
 public:
  // Borrows the store and the clock. `check_claim` is called before a manifest is written, and
  // before objects are removed.
  CheckpointSaver(SaverOptions options, ObjectStore& store, Clock& clock, CheckClaim check_claim);

  // Sets the checkpoint that the store has. Call it before the first save.
  void SetStoredCheckpoint(FoundCheckpoint found);

  struct Limits {
    const Activity& data;      // for the files; if it is cancelled, the manifest is still written
    const Activity& manifest;  // for the whole save
    bool hurry = false;        // the last save of a stop: does not sync, and removes nothing
  };
  // Saves changed files, and removes versions that are not needed any more. A file that changes in
  // place during the save keeps its last version. OK if nothing has changed. If a file cannot be
  // sent (an error, or Cancelled because its time is over), the other files are still saved.
  absl::Status Save(const Limits& limits);

  int64_t saves() const { return saves_; }  // manifests that were written
  // When the checkpoint in the store was saved; InfinitePast if there is none.
  absl::Time saved_at() const { return saved_at_; }
  std::vector<SavedFile> files() const;
  // The number of entries in the last scan whose names a manifest cannot hold.
  int unusable_names() const { return unusable_names_; }
  // The duration of the last scan of the directory.
  absl::Duration scan_time() const { return scan_time_; }
  // The first refusal of a removal; OK if there was none.
  const absl::Status& removal_refused() const { return removal_refused_; }
  // The objects to remove when the task has ended; nullopt if no attempt has written a manifest and
  // this one has sent nothing.
  std::optional<CheckpointObjects> ObjectsToRemove() const;

 private:
  // The result of sending one changed file.
  struct Sent {
    std::optional<KnownFile> version;
    std::string object;                // the object that was made, or may have been made
    std::optional<ObjectInfo> stored;  // the object that was certainly made
    absl::Status failed;               // Aborted: the file changed meanwhile
  };
  absl::Status SendFiles(const std::vector<ScannedFile>& changed, const Activity& activity,
                         std::vector<Sent>& sent);
  absl::Status SendFile(int directory_fd, const ScannedFile& file, const Activity& activity,
                        Sent& sent);
  KnownFiles Merge(const std::vector<ScannedFile>& changed, const std::vector<Sent>& sent,
                   const std::vector<std::string>& removed) const;
  absl::Status PrepareManifest(const KnownFiles& files, const Limits& limits);
  void RemoveSent(const std::vector<Sent>& sent, const Limits& limits);
  absl::Status WriteManifest(const KnownFiles& files, const Limits& limits);
  void AddGarbage(const KnownFiles& next);
  void RemoveGarbage(const Activity& activity);
  std::string UrlOf(absl::string_view object) const;

  const SaverOptions options_;
  ObjectStore& store_;
  Clock& clock_;
  const CheckClaim check_claim_;
  const std::string tags_;  // in the names of this attempt's objects

  KnownFiles known_;                            // the files in the last manifest
  std::optional<int64_t> manifest_generation_;  // nullopt if no manifest is known
  absl::Time saved_at_ = absl::InfinitePast();
  int64_t saves_ = 0;
  int64_t tries_ = 0;
  bool unsure_ = false;                 // the store may have objects that are not listed here
  std::vector<ObjectVersion> garbage_;  // objects that no manifest needs
  // Objects of a checkpoint that was ignored. They are garbage once its manifest is replaced.
  std::vector<ObjectVersion> ignored_;
  int unusable_names_ = 0;
  absl::Duration scan_time_;
  absl::Status removal_refused_;
};

}  // namespace sparkles
