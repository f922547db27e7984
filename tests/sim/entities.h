// Tasks as they stand in Datastore, read with as little of the worker's own code as possible: the
// judge must not share its mistakes.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/json.h"

namespace sparkles {

// "" for what is absent or no string.
std::string TextIn(const Json& entity, const char* property);
// Absent or null.
bool IsNullIn(const Json& entity, const char* property);
Json HistoryOf(const Json& entity);
// Of one entry of a history.
std::string EntryText(const Json& entry, const char* property);
// Of the last entry.
std::string LastEntry(const Json& entity);
std::string LastReason(const Json& entity);
// How many claims there are in the history.
int ClaimsIn(const Json& entity);

bool IsFinal(absl::string_view status);
// Whether a task with this past must not be claimed any more (docs/wire-contract.md section 3): 10
// claims without an orderly end, or 20 machines in a row that could not do it, since it last ended.
bool IsUsedUp(const Json& history);

// What a worker's change from `before` to `after` may not do, whatever it is for: one line each.
std::vector<std::string> ShapeProblems(const std::string& id, const Json& before,
                                       const Json& after);

}  // namespace sparkles
