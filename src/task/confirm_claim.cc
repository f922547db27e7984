#include "task/confirm_claim.h"

namespace sparkles {

void CancelIfEnded(ClaimState state, CancelToken& task) {
  if (state == ClaimState::kKilled) task.Cancel(CancelKind::kKilled, "the job was killed");
  if (state == ClaimState::kLost) task.Cancel(CancelKind::kClaimLost, "the claim is lost");
}

}  // namespace sparkles
