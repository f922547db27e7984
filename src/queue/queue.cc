#include "queue/queue.h"

#include "absl/strings/cord.h"

namespace sparkles {
namespace {

constexpr char kPayload[] = "sparkles/claim-not-persistable";

}  // namespace

absl::Status ClaimNotPersistable(absl::Status status) {
  status.SetPayload(kPayload, absl::Cord());
  return status;
}

bool IsClaimNotPersistable(const absl::Status& status) {
  return status.GetPayload(kPayload).has_value();
}

}  // namespace sparkles
