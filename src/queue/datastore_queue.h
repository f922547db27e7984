// The queue of a Sparklespray cluster: tasks in Datastore, shared with the client and with any
// number of workers.
// The one hard idea: a commit whose answer was lost is never guessed about. The same change, with
// the same timestamp, is tried again in a new transaction, which first sees whether it is there.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "gcp/datastore_client.h"
#include "queue/claim_journal.h"
#include "queue/queue.h"
#include "queue/task_entity.h"

namespace sparkles {

struct DatastoreQueueOptions {
  std::string cluster;
  std::string owner;                             // what claims say about us; need not be unique
  std::function<std::string()> monitor_address;  // for each claim: "host:port" or empty; null: none
  std::string project = "";                      // for the journal
  // Ends what a dead worker has left running, before what it held is handed back; null: nothing.
  std::function<void()> before_hand_back = nullptr;
  // See process/oom_watch.h. memory_mark is recorded with each claim; memory_since describes the
  // kills since a mark, for the reason of a dead worker's hand-back. Null: not known.
  std::function<std::string()> memory_mark = nullptr;
  std::function<std::string(const std::string& mark)> memory_since = nullptr;
};

// From claim to finish a task costs five requests: query; lookup and commit, twice.
class DatastoreQueue : public Queue {
 public:
  // Borrows all but the options. With a journal, what dead workers of this machine still hold is
  // handed back before the first claim, and whenever there is nothing else to do.
  DatastoreQueue(DatastoreQueueOptions options, DatastoreClient& client, Clock& clock, Log log,
                 ClaimJournal* journal = nullptr);

  // A pending task is taken at random. Those of killed jobs are marked as killed on the way, those
  // that nobody can run (a property has the wrong type) as failed.
  absl::StatusOr<std::optional<Claim>> ClaimOne(const CancelToken& cancel) override;
  absl::Status Finish(const Claim& claim, const Outcome& outcome) override;
  absl::Status HandBack(const Claim& claim, const std::string& reason) override;
  // Recorded after all when nothing is left to claim, or to be claimed any more.
  void GiveUp(const Claim& claim, const Outcome& outcome) override;
  absl::StatusOr<ClaimState> Check(const Claim& claim, const CancelToken& cancel) override;
  std::vector<RecordedEnd> TakeEnds() override { return std::exchange(ends_, {}); }
  bool MoreMayCome() const override { return true; }

 private:
  // A commit that may have been applied: of a claim, or of the end of one.
  struct Unsettled {
    std::string task_id;
    absl::Time claimed_at;
    absl::Time timestamp;  // of the entry that it adds to the history
    // Of a claim: whose commits may yet arrive, and when each was sent at the latest.
    std::vector<std::pair<std::string, absl::Time>> transactions = {};
  };
  // Older ones cannot be committed (docs/wire-contract.md section 9.1: 270 s).
  static constexpr absl::Duration kLongestTransaction = absl::Seconds(270);
  // How often a transaction is repeated before the caller has to; a conflict is over in no time.
  static constexpr int kTransactionTries = 5;
  // What became of one candidate. kEnded: it was failed, killed or found unusable.
  enum class Try { kClaimed, kEnded, kLost };

  // An error: some still stand, and may be ended later.
  absl::Status EndGivenUp();
  void HandBackAbandoned();
  // True if it need not be looked at again.
  bool SettleAbandoned(const JournalEntry& entry);
  bool MayStillLand(const JournalEntry& entry);
  // By task and time of the claim.
  using Times = std::map<std::pair<std::string, absl::Time>, absl::Time>;
  // When this was first asked of the entry.
  absl::Time FirstTime(Times& times, const JournalEntry& entry);
  // Ok only when it is written down that this claim is about to be made.
  absl::Status Announce(const TaskEntity& task, absl::Time now);
  // What was announced was not made.
  void Unannounce();
  JournalEntry EntryOf(const std::string& task_id, int64_t version, absl::Time claimed_at) const;
  absl::StatusOr<std::vector<std::string>> FindCandidates(const CancelToken& cancel);
  // Warns if the cluster has tasks of a kind for newer workers.
  void LookForNewerTasks(const CancelToken& cancel);
  // Stores the claim if the result is kClaimed.
  absl::StatusOr<Try> TryClaim(const std::string& id, const CancelToken& cancel,
                               std::optional<Claim>& claim);
  // One transaction; nullopt if it has to be repeated.
  absl::StatusOr<std::optional<Try>> TryOnce(const std::string& id, const CancelToken& cancel,
                                             std::optional<Claim>& claim);
  Try Change(TaskEntity& task, bool job_killed, absl::Time now);
  absl::StatusOr<std::optional<Try>> CommitTry(const std::string& transaction,
                                               const TaskEntity& task, Try change, absl::Time now);
  Try Lost(const std::string& transaction);
  // The claim that this transaction's commit makes is unsettled from now on.
  void Doubt(const std::string& id, absl::Time now, const std::string& transaction);
  // Ends the transactions of an unsettled claim that has not been seen yet. False if one may have
  // been applied meanwhile, or may yet be.
  bool RevokeCommits();
  Claim ClaimFrom(const TaskEntity& task, absl::Time claimed_at) const;
  bool Holds(const Claim& claim, const TaskEntity& task) const;
  // `change` ends the claim of `owner` and adds `entry` to the history.
  absl::Status EndClaim(const std::string& owner, const Claim& claim, absl::string_view entry,
                        absl::FunctionRef<void(TaskEntity& task, absl::Time now)> change);
  // The same for a claim of ours.
  absl::Status EndOwn(const Claim& claim, absl::string_view entry,
                      absl::FunctionRef<void(TaskEntity& task, absl::Time now)> change);
  void WaitBeforeRepeat(int tries);
  // Never to be looked at again by this worker.
  void Skip(const std::string& id, absl::string_view reason);

  const DatastoreQueueOptions options_;
  DatastoreClient& client_;
  Clock& clock_;
  const Log log_;
  std::minstd_rand random_{RandomSeed()};
  size_t sample_ = 0;  // index of how many candidates the next query asks for
  std::set<std::string> skipped_;
  std::optional<Unsettled> unsettled_claim_;
  std::optional<Unsettled> unsettled_end_;
  ClaimJournal* const journal_;  // may be null
  bool looked_for_abandoned_ = false;
  bool looked_for_newer_ = false;
  Times first_seen_;     // when we first looked at what may still land
  Times first_refused_;  // when a dead worker's hand-back was first refused
  std::vector<std::pair<Claim, Outcome>> given_up_;
  std::vector<RecordedEnd> ends_;
  RecordedEnd ending_;  // what the transaction in work will have ended, if it ends a task
  std::optional<JournalEntry> announced_;  // not known to be made
};

}  // namespace sparkles
