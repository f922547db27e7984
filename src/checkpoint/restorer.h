// Brings the checkpoint of an earlier attempt from the store into the checkpoint directory.
// The one hard idea: a directory is restored whole or stays empty. Files arrive in a directory of
// their own, which takes the place of the empty one when all are there.
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

// What the store has from earlier attempts.
struct FoundCheckpoint {
  // Of the manifest; nullopt if the store has none, or it cannot be read.
  std::optional<int64_t> generation;
  // Absent if there is no manifest, or one that cannot be understood.
  std::optional<Manifest> manifest;
  // The files that were restored. Empty if the checkpoint is ignored.
  KnownFiles files;
  // Why the checkpoint is ignored; empty if it is restored or there is none.
  std::string ignored;

  bool restored() const { return !files.empty(); }
};

struct RestorerOptions {
  std::string directory;  // the local checkpoint directory: empty, on the file system of its parent
  std::string url;        // its place in the store (CheckpointUrl)
  CheckpointIdentity identity;
  int transfers = 32;  // files that move at a time
};

// Restores the checkpoint if the store has one of this task. Errors, after which the directory is
// empty: Cancelled, and machine faults (the disk is full, the store cannot be reached). Every other
// trouble makes the checkpoint one that is ignored.
absl::StatusOr<FoundCheckpoint> RestoreCheckpoint(const RestorerOptions& options,
                                                  ObjectStore& store, Clock& clock,
                                                  const Activity& activity);

}  // namespace sparkles
