// Finds pending tasks of the cluster, and hands them out one by one.
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

// One query finds up to kCandidates tasks, in the order of their keys. The list begins at a random
// one of them and is used up in that order. The next query continues behind the last key, and
// starts over at the first key after the last one: every pending task gets its turn.
//
// A fleet must spread over the queue. So a worker that starts on a long queue jumps: it goes to a
// random key and keeps a random part of the many keys that it finds behind that. It jumps again
// when another worker has taken its candidate: the tasks behind that one are the other worker's
// next candidates. Used by one thread.
class CandidateList {
 public:
  static constexpr int kCandidates = 20;
  // Keys that a jump reads. A query of keys costs one read, whatever their number.
  static constexpr int kKeysOfJump = 300;

  // Borrows `context`.
  explicit CandidateList(const DatastoreContext& context) : context_(context) {}

  // The id of a task that was pending when the list was read; nullopt if a query from the first key
  // to the last found none. An error is trouble with Datastore, or the token's reason.
  absl::StatusOr<std::optional<std::string>> Next(const CancelToken& cancel);

  // The next ones, the next one at the back.
  const std::vector<std::string>& upcoming() const { return ids_; }

  // Another worker has the last candidate. Drops the list.
  void OnTaken();

  // Leaves the task out for five minutes: the server refuses its claim. `reason` is logged once.
  void Skip(const std::string& id, absl::string_view reason);

 private:
  absl::Status Find(const CancelToken& cancel);
  // Adds the usable keys of one query to the list.
  absl::StatusOr<KeyPage> ReadPage(int limit, const CancelToken& cancel);
  bool IsSkipped(const std::string& id);
  void Jump();
  Json KeyNamed(const std::string& id) const;
  // Warns, once, if the cluster has tasks of a kind that only newer workers run.
  void LookForNewerTasks(const CancelToken& cancel);

  const DatastoreContext& context_;
  std::minstd_rand random_{RandomSeed()};
  std::vector<std::string> ids_;  // the next one is at the back
  absl::Time listed_at_;
  Json position_;            // the next query continues behind this key; null: at the first key
  Json last_key_;            // of any task, as the server wrote it
  bool jumps_ = false;       // the next query is a jump
  bool has_spread_ = false;  // has jumped away from the keys at which all workers start
  bool newer_tasks_checked_ = false;           // or not needed: tasks were found
  std::map<std::string, absl::Time> skipped_;  // since when
};

}  // namespace sparkles
