// Hands back what dead workers of this machine have claimed, as their journals say.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "queue/claim_ender.h"
#include "queue/datastore_context.h"

namespace sparkles {

// Used by one thread.
class AbandonedClaims {
 public:
  // Borrows both.
  AbandonedClaims(const DatastoreContext& context, ClaimEnder& ender)
      : context_(context), ender_(ender) {}

  // Looks at each journal whose worker is dead. What cannot be handed back now stays in its
  // journal for the next call, or for another worker.
  void HandBack();

 private:
  // True: the entry need not be looked at again.
  bool Settle(const JournalEntry& entry);
  // Whether the server has refused the hand-back for so long that it will not change its mind.
  bool IsRefusedForGood(const JournalEntry& entry);

  const DatastoreContext& context_;
  ClaimEnder& ender_;
  // When a hand-back was first refused, by task and time of the claim.
  std::map<std::pair<std::string, absl::Time>, absl::Time> first_refused_;
};

}  // namespace sparkles
