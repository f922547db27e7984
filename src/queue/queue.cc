#include "queue/queue.h"

#include "absl/strings/cord.h"

namespace sparkles {
namespace {

constexpr char kPayload[] = "sparkles/cannot-write-down";

}  // namespace

absl::Status CannotWriteDown(absl::Status status) {
  status.SetPayload(kPayload, absl::Cord());
  return status;
}

bool IsCannotWriteDown(const absl::Status& status) {
  return status.GetPayload(kPayload).has_value();
}

}  // namespace sparkles
