// Downloads the checkpoint of an earlier attempt into the checkpoint directory.
// The directory is restored whole or stays empty. The files arrive in a temporary directory, which
// replaces the empty one when it is complete.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/activity.h"
#include "base/clock.h"
#include "checkpoint/identity.h"
#include "checkpoint/manifest.h"
#include "checkpoint/save_plan.h"
#include "storage/object_store.h"

namespace sparkles {

// The checkpoint that earlier attempts have left in the store.
struct FoundCheckpoint {
  // The generation of the manifest; nullopt if there is no manifest, or it cannot be read.
  std::optional<int64_t> generation;
  // nullopt if there is no manifest, or it is not valid.
  std::optional<Manifest> manifest;
  // The files that were restored. Empty if the checkpoint is ignored.
  KnownFiles files;
  // The reason why the checkpoint is ignored; empty if it is restored or there is none.
  std::string ignored;

  bool restored() const { return !files.empty(); }
};

struct RestorerOptions {
  std::string directory;  // the local checkpoint directory: empty, on the file system of its parent
  std::string url;        // the checkpoint in the store (CheckpointUrl)
  CheckpointIdentity identity;
  int transfers = 32;  // files that move at a time
};

// Restores the checkpoint if the store has one of this task. After an error the directory is empty.
// Errors are Cancelled and machine faults (the disk is full, the store cannot be reached). After
// any other failure the checkpoint is ignored.
absl::StatusOr<FoundCheckpoint> RestoreCheckpoint(const RestorerOptions& options,
                                                  ObjectStore& store, Clock& clock,
                                                  const Activity& activity);

}  // namespace sparkles
