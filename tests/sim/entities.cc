#include "tests/sim/entities.h"

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "gcp/entity.h"

namespace sparkles {
namespace {

// The properties that a worker may change (docs/wire-entities.md).
const std::set<std::string> kOurs = {"task_id",         "status",         "owner",
                                     "monitor_address", "history",        "last_updated",
                                     "exit_code",       "failure_reason", "version"};

const Json& PropertiesOf(const Json& entity) { return entity["properties"]; }

bool HasOnlyFourFields(const Json& entry) {
  const Json* properties = AsProperties(entry);
  if (properties == nullptr) return false;
  for (const auto& [name, value] : properties->items()) {
    const bool known =
        name == "timestamp" || name == "status" || name == "owner" || name == "failure_reason";
    if (!known) return false;
  }
  return properties->contains("timestamp") && properties->contains("status");
}

// Each value belongs to one kind of end: clients count a task with a failure_reason as failed, and
// use last_updated to fetch new ends.
void CheckFields(const std::string& id, const Json& before, const Json& after,
                 std::vector<std::string>& problems) {
  const std::string status = TextIn(after, "status");
  const auto check = [&](bool right, absl::string_view what) {
    if (!right) problems.push_back(absl::StrCat(id, " is ", status, ": ", what));
  };
  check(TextIn(after, "task_id") == id, "its task_id is another one");
  check(status == "failed" || IsNullIn(after, "failure_reason"), "it has a failure_reason");
  check(status == "complete" || IsNullIn(after, "exit_code"), "it has an exit_code");
  const bool ends = IsFinal(status);
  check(!ends || TextIn(after, "owner") == TextIn(before, "owner"), "its owner was changed");
  const Json* updated = JsonField(PropertiesOf(after), "last_updated");
  const Json entry = HistoryOf(after).back();
  // A claim dates its entry back by up to a second (docs/claim-protocol.md).
  const double moved = updated == nullptr
                           ? 0
                           : AsDouble(updated).value_or(-1) -
                                 AsDouble(JsonField(*AsProperties(entry), "timestamp")).value_or(0);
  check(moved >= 0 && moved <= (status == "claimed" ? 1.0 : 0.0),
        "last_updated does not tell when");
}

}  // namespace

std::string TextIn(const Json& entity, const char* property) {
  const Json* value = JsonField(PropertiesOf(entity), property);
  return value == nullptr ? "" : AsString(value).value_or("");
}

bool IsNullIn(const Json& entity, const char* property) {
  return IsNull(JsonField(PropertiesOf(entity), property));
}

Json HistoryOf(const Json& entity) {
  const Json& value = PropertiesOf(entity)["history"]["arrayValue"];
  return value.value("values", Json::array());
}

std::string EntryText(const Json& entry, const char* property) {
  const Json* properties = AsProperties(entry);
  if (properties == nullptr) return "";
  return AsString(JsonField(*properties, property)).value_or("");
}

std::string LastEntry(const Json& entity) {
  const Json history = HistoryOf(entity);
  return history.empty() ? "" : EntryText(history.back(), "status");
}

std::string LastReason(const Json& entity) {
  const Json history = HistoryOf(entity);
  return history.empty() ? "" : EntryText(history.back(), "failure_reason");
}

int ClaimsIn(const Json& entity) {
  int claims = 0;
  for (const Json& entry : HistoryOf(entity)) claims += EntryText(entry, "status") == "claimed";
  return claims;
}

bool IsFinal(absl::string_view status) {
  return status == "complete" || status == "failed" || status == "killed";
}

bool IsUsedUp(const Json& history) {
  int disorderly = 0;
  int unfit = 0;
  for (size_t i = 0; i < history.size(); ++i) {
    const std::string status = EntryText(history[i], "status");
    const std::string reason = EntryText(history[i], "failure_reason");
    if (IsFinal(status)) disorderly = unfit = 0;
    if (status == "reset" && absl::StartsWith(reason, "machine fault: ")) ++unfit;
    if (status != "claimed") continue;
    const Json next = i + 1 < history.size() ? history[i + 1] : Json();
    const std::string why = EntryText(next, "failure_reason");
    const bool handed_back = EntryText(next, "status") == "reset" && !why.empty() &&
                             !absl::StartsWith(why, "abandoned: ");
    if (!handed_back && !IsFinal(EntryText(next, "status"))) ++disorderly;
  }
  return disorderly >= 10 || unfit >= 20;
}

std::vector<std::string> ShapeProblems(const std::string& id, const Json& before,
                                       const Json& after) {
  std::vector<std::string> problems;
  const Json& was = PropertiesOf(before);
  const Json& is = PropertiesOf(after);
  for (const auto& [name, value] : is.items()) {
    if (name == "task_id") continue;
    if (!was.contains(name)) {
      problems.push_back(absl::StrCat(id, ": the property ", name, " was invented"));
    }
    if (!kOurs.contains(name) && was.contains(name) && was[name] != value) {
      problems.push_back(absl::StrCat(id, ": the property ", name, " was changed"));
    }
  }
  for (const auto& [name, value] : was.items()) {
    if (is.contains(name)) continue;
    problems.push_back(absl::StrCat(id, ": the property ", name, " was lost"));
  }
  if (AsInteger(&is["version"]).value_or(0) != AsInteger(&was["version"]).value_or(0) + 1) {
    problems.push_back(absl::StrCat(id, ": the version was not raised by one"));
  }
  Json history = HistoryOf(after);
  if (history.empty() || !HasOnlyFourFields(history.back())) {
    problems.push_back(absl::StrCat(id, ": the history's new entry is malformed"));
    return problems;
  }
  CheckFields(id, before, after, problems);
  history.erase(history.size() - 1);
  if (history != HistoryOf(before)) {
    problems.push_back(absl::StrCat(id, ": the history did not grow by one entry"));
  }
  return problems;
}

}  // namespace sparkles
