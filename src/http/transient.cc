#include "http/transient.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"

namespace sparkles {
namespace {

// Payloads of the status, which Annotate (base/status.h) keeps.
constexpr char kTransientPayload[] = "sparkles/transient";
constexpr char kRetryAfterPayload[] = "sparkles/retry-after";
constexpr char kMaybeApplied[] = "maybe applied";
constexpr char kNotApplied[] = "not applied";

}  // namespace

absl::Status Transient(absl::Status status, bool maybe_applied,
                       std::optional<absl::Duration> retry_after) {
  if (status.ok()) return status;
  status.SetPayload(kTransientPayload, absl::Cord(maybe_applied ? kMaybeApplied : kNotApplied));
  if (retry_after.has_value()) {
    status.SetPayload(kRetryAfterPayload,
                      absl::Cord(absl::string_view(absl::FormatDuration(*retry_after))));
  }
  return status;
}

bool IsTransient(const absl::Status& status) {
  return status.GetPayload(kTransientPayload).has_value();
}

bool MaybeApplied(const absl::Status& status) {
  const auto payload = status.GetPayload(kTransientPayload);
  return payload.has_value() && *payload == kMaybeApplied;
}

std::optional<absl::Duration> RetryAfter(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetryAfterPayload);
  absl::Duration duration;
  if (!payload.has_value() || !absl::ParseDuration(std::string(*payload), &duration)) {
    return std::nullopt;
  }
  return duration;
}

}  // namespace sparkles
