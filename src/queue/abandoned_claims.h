// Hands back what dead workers of this machine have claimed, as their journals say.
#pragma once

#include "queue/claim_ender.h"
#include "queue/datastore_context.h"
#include "queue/refusals.h"

namespace sparkles {

// Used by one thread.
class AbandonedClaims {
 public:
  // Borrows both.
  AbandonedClaims(const DatastoreContext& context, ClaimEnder& ender)
      : context_(context), ender_(ender) {}

  // Looks at each journal whose worker is dead. A claim that cannot be handed back now stays in its
  // journal for the next call, or for another worker.
  void HandBack();

 private:
  // True: the entry need not be looked at again.
  bool Settle(const JournalEntry& entry);

  const DatastoreContext& context_;
  ClaimEnder& ender_;
  Refusals refusals_;
};

}  // namespace sparkles
