// The queue of a cluster: tasks in Datastore, which clients and any number of workers change.
// docs/claim-protocol.md explains the protocol.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/cancel.h"
#include "queue/abandoned_claims.h"
#include "queue/candidate_list.h"
#include "queue/claim_ender.h"
#include "queue/datastore_context.h"
#include "queue/queue.h"
#include "queue/read_ahead.h"
#include "queue/task_claimer.h"
#include "queue/unrecorded_ends.h"

namespace sparkles {

// A task costs three requests: a lookup and a commit for the claim, and a commit for the end. One
// query finds up to 20 tasks. If tasks are short, one lookup reads up to 10 tasks.
class DatastoreQueue : public Queue {
 public:
  // Borrows `client`, `clock` and `journal`. With a journal, the claims of dead workers of this
  // machine are handed back before the first claim and whenever the queue is empty.
  DatastoreQueue(DatastoreQueueOptions options, DatastoreClient& client, Clock& clock, Log log,
                 ClaimJournal* journal = nullptr);

  // Also marks found tasks of killed jobs as killed, and tasks that no worker can run (a property
  // has the wrong type) as failed.
  absl::StatusOr<std::optional<Claim>> ClaimOne(const CancelToken& cancel) override;
  absl::Status RevokeUnknownClaim(const std::string& reason) override;
  absl::Status Finish(const Claim& claim, const Outcome& outcome) override;
  absl::Status HandBack(const Claim& claim, const std::string& reason) override;
  // The end is recorded when the queue is empty, or by RevokeUnknownClaim.
  void LeaveUnrecorded(const Claim& claim, const Outcome& outcome) override {
    unrecorded_.Add(claim, outcome);
  }
  absl::StatusOr<ClaimState> Check(const Claim& claim, const CancelToken& cancel) override;
  std::vector<RecordedEnd> TakeRecordedEnds() override { return std::exchange(ends_, {}); }
  bool CanReceiveNewTasks() const override { return true; }

 private:
  // `lost_sent`: a claim whose commit was sent is lost in this call of ClaimOne.
  absl::StatusOr<std::optional<Claim>> ClaimCandidate(bool lost_sent, const CancelToken& cancel);
  // Returns the claim if `result` has one. Keeps the end and the claimed task in members.
  std::optional<Claim> Accept(ClaimResult result);
  absl::Status EndOwn(const Claim& claim, const Outcome& outcome);
  absl::Status RetryUnrecordedEnds(bool is_last_try);

  const DatastoreContext context_;
  CandidateList candidates_{context_};
  ReadAhead read_ahead_{context_};
  TaskClaimer claimer_{context_};
  ClaimEnder ender_{context_};
  AbandonedClaims abandoned_{context_, ender_};
  UnrecordedEnds unrecorded_{context_.clock, context_.log};
  bool looked_for_abandoned_ = false;
  std::optional<std::pair<Claim, VersionedTask>> held_;  // the last claim, and its task as claimed
  std::vector<RecordedEnd> ends_;
};

}  // namespace sparkles
