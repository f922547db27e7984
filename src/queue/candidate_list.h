// Finds pending tasks of the cluster, and hands them out one by one.
#pragma once

#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/random.h"
#include "queue/datastore_context.h"

namespace sparkles {

// One query finds up to kCandidates tasks, which are used up in random order. The next query goes
// on behind them, in the order of keys, and begins again at the first key after the last: every
// pending task gets its turn. A worker that keeps losing tasks to others goes on at a random key,
// so that a fleet spreads over the queue. Used by one thread.
class CandidateList {
 public:
  static constexpr int kCandidates = 20;
  // After so many candidates in a row that others have taken, the list is dropped.
  static constexpr int kMaxTaken = 3;

  // Borrows `context`.
  explicit CandidateList(const DatastoreContext& context) : context_(context) {}

  // The id of a task that was pending a moment ago; nullopt if a query from the first key to the
  // last found none. An error is trouble with Datastore, or the token's reason.
  absl::StatusOr<std::optional<std::string>> Next(const CancelToken& cancel);

  // What became of the last one.
  void OnClaimed() { taken_ = 0; }
  void OnTaken() { ++taken_; }

  // The task is never offered again: `reason` says why no worker can claim it.
  void Skip(const std::string& id, absl::string_view reason);

 private:
  absl::Status Find(const CancelToken& cancel);
  void TakePage(const KeyPage& page);
  void GoToRandomKey();
  // Warns, once, if the cluster has tasks of a kind that only newer workers run.
  void LookForNewerTasks(const CancelToken& cancel);

  const DatastoreContext& context_;
  std::minstd_rand random_{RandomSeed()};
  std::vector<std::string> ids_;  // the next one is at the back
  absl::Time found_at_;
  Json position_;  // the next query goes on behind this key; null: it begins at the first key
  int taken_ = 0;  // in a row
  std::set<std::string> skipped_;
  bool looked_for_newer_ = false;  // or found some of ours
};

}  // namespace sparkles
