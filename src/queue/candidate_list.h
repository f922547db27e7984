// Finds pending tasks of the cluster and returns them one by one.
#pragma once

#include <map>
#include <optional>
#include <random>
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

// One query finds up to kCandidates tasks in the order of their keys. The list starts at a random
// one of them and keeps that order. The next query continues after the last key, and at the end of
// the queue starts over at the first key. Therefore each pending task gets its turn.
//
// The workers of a fleet must spread over the queue. Therefore a worker that starts on a long queue
// jumps: it queries from a random key and keeps a random part of the keys that it finds. It jumps
// again when another worker has taken its candidate, because the following tasks are the other
// worker's next candidates. Used by one thread.
class CandidateList {
 public:
  static constexpr int kCandidates = 20;
  // The number of keys that a jump reads. A query of keys costs one read for any number of keys.
  static constexpr int kKeysOfJump = 300;

  // Borrows `context`.
  explicit CandidateList(const DatastoreContext& context) : context_(context) {}

  // The id of a task that was pending when the list was read. nullopt if queries from the first key
  // to the last found none. The error of Datastore, or Cancelled with the token's reason.
  absl::StatusOr<std::optional<std::string>> Next(const CancelToken& cancel);

  // The following candidates. The next one is at the back.
  const std::vector<std::string>& upcoming() const { return ids_; }

  // Drops the list. Call this if another worker has taken the last candidate.
  void OnTaken();

  // Leaves the task out for five minutes, because the server refuses its claim. Logs `reason` once.
  void Skip(const std::string& id, absl::string_view reason);

 private:
  absl::Status Find(const CancelToken& cancel);
  // Adds the usable keys of one query to the list.
  absl::StatusOr<KeyPage> ReadPage(int limit, const CancelToken& cancel);
  bool IsSkipped(const std::string& id);
  void Jump();
  Json KeyNamed(const std::string& id) const;
  // Warns, once, if the cluster has tasks of a kind that only newer workers run.
  void CheckForNewerTasks(const CancelToken& cancel);

  const DatastoreContext& context_;
  std::minstd_rand random_{RandomSeed()};
  std::vector<std::string> ids_;  // the next one is at the back
  absl::Time listed_at_;
  Json position_;            // the next query continues after this key; null: at the first key
  Json last_key_;            // the last key of any query, as the server wrote it
  bool jumps_ = false;       // the next query is a jump
  bool has_spread_ = false;  // has jumped away from the keys at which all workers start
  bool newer_tasks_checked_ = false;           // the check is done, or tasks were found
  std::map<std::string, absl::Time> skipped_;  // id -> start of the five minutes
};

}  // namespace sparkles
