// Reads tasks in Datastore with little of the worker's own code, so that the judge does not share
// its errors.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/json.h"

namespace sparkles {

// "" if the property is absent or not a string.
std::string TextIn(const Json& entity, const char* property);
// True if the property is absent or null.
bool IsNullIn(const Json& entity, const char* property);
Json HistoryOf(const Json& entity);
// A field of one entry of a history.
std::string EntryText(const Json& entry, const char* property);
// The status in the last entry of the history.
std::string LastEntry(const Json& entity);
std::string LastReason(const Json& entity);
// The number of claims in the history.
int ClaimsIn(const Json& entity);

bool IsFinal(absl::string_view status);
// True if a task with this history must not be claimed any more (docs/wire-entities.md):
// it has 10 abandoned claims or 20 machine faults since its last end.
bool IsUsedUp(const Json& history);

// One line for each way in which a worker's change from `before` to `after` breaks a general rule.
std::vector<std::string> ShapeProblems(const std::string& id, const Json& before,
                                       const Json& after);

}  // namespace sparkles
