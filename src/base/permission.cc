#include "base/permission.h"

#include "absl/strings/cord.h"

namespace sparkles {
namespace {

constexpr char kPermissionPayload[] = "sparkles/permission";
constexpr char kKeptPayload[] = "sparkles/old-object-kept";

}  // namespace

absl::Status MarkMissingPermission(absl::Status status, absl::string_view what) {
  if (!status.ok()) status.SetPayload(kPermissionPayload, absl::Cord(what));
  return status;
}

std::string MissingPermission(const absl::Status& status) {
  const auto payload = status.GetPayload(kPermissionPayload);
  return payload.has_value() ? std::string(*payload) : "";
}

absl::Status MarkObjectProtected(absl::Status status) {
  if (!status.ok()) status.SetPayload(kKeptPayload, absl::Cord("1"));
  return status;
}

bool IsObjectProtected(const absl::Status& status) {
  return status.GetPayload(kKeptPayload).has_value();
}

}  // namespace sparkles
