// The queue of a Sparklespray cluster: tasks in Datastore, shared with the client and with any
// number of workers. docs/claim-protocol.md explains the protocol.
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

// A task costs three requests: a lookup and a commit for its claim, a commit for its end. One query
// finds up to 20 tasks. One lookup reads up to 10 short tasks.
class DatastoreQueue : public Queue {
 public:
  // Borrows all but the options. With a journal, what dead workers of this machine still hold is
  // handed back before the first claim, and whenever there is nothing else to do.
  DatastoreQueue(DatastoreQueueOptions options, DatastoreClient& client, Clock& clock, Log log,
                 ClaimJournal* journal = nullptr);

  // Tasks of killed jobs are marked as killed on the way; tasks that no worker can run (a property
  // has the wrong type) are marked as failed.
  absl::StatusOr<std::optional<Claim>> ClaimOne(const CancelToken& cancel) override;
  absl::Status SettleLastClaim(const std::string& reason) override;
  absl::Status Finish(const Claim& claim, const Outcome& outcome) override;
  absl::Status HandBack(const Claim& claim, const std::string& reason) override;
  // The end is recorded when nothing is left to claim, or by SettleLastClaim.
  void GiveUp(const Claim& claim, const Outcome& outcome) override {
    unrecorded_.Add(claim, outcome);
  }
  absl::StatusOr<ClaimState> Check(const Claim& claim, const CancelToken& cancel) override;
  std::vector<RecordedEnd> TakeEnds() override { return std::exchange(ends_, {}); }
  bool MoreMayCome() const override { return true; }

 private:
  absl::StatusOr<std::optional<Claim>> ClaimCandidate(const CancelToken& cancel);
  // The claim if `result` is one.
  std::optional<Claim> Accept(ClaimResult result);
  absl::Status EndOwn(const Claim& claim, const Outcome& outcome);
  absl::Status RecordGivenUp(bool is_last_try);

  const DatastoreContext context_;
  CandidateList candidates_{context_};
  ReadAhead read_ahead_{context_};
  TaskClaimer claimer_{context_};
  ClaimEnder ender_{context_};
  AbandonedClaims abandoned_{context_, ender_};
  UnrecordedEnds unrecorded_{context_.clock, context_.log};
  bool looked_for_abandoned_ = false;
  std::optional<std::pair<Claim, VersionedTask>> held_;  // the last claim, as it was made
  std::vector<RecordedEnd> ends_;
};

}  // namespace sparkles
