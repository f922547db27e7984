// Marks on an absl::Status that say which permission is missing.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sparkles {

// Marks that the account lacks the permission to `what`, for example "write to gs://bucket".
// Annotate and WithMessage (base/status.h) keep the mark.
absl::Status MarkMissingPermission(absl::Status status, absl::string_view what);

// The `what` of MarkMissingPermission; empty for an unmarked status.
std::string MissingPermission(const absl::Status& status);

// Marks that an object exists and the account may not read or replace it. The account may still be
// able to write a new object.
absl::Status MarkObjectProtected(absl::Status status);
bool IsObjectProtected(const absl::Status& status);

}  // namespace sparkles
