// The permission that an error is about, carried by the absl::Status itself.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sparkles {

// The same status, marked: the account lacks the right to do `what`, as in "write to gs://bucket".
// Annotate and WithMessage (base/status.h) keep the mark.
absl::Status LacksPermission(absl::Status status, absl::string_view what);

// The `what` of LacksPermission; empty for every other status.
std::string LackedPermission(const absl::Status& status);

// The same status, marked: an object is there already, and the account may not look at it or
// replace it. A new object in another place could be written.
absl::Status KeepsOldObject(absl::Status status);
bool IsOldObjectKept(const absl::Status& status);

}  // namespace sparkles
