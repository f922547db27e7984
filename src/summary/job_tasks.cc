#include "summary/job_tasks.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/text.h"
#include "gcp/entity.h"
#include "http/transient.h"
#include "queue/datastore_context.h"
#include "queue/task_entity.h"
#include "summary/order.h"
#include "task/task_spec.h"

namespace sparkles {
namespace {

// Google's limit for one answer is 10 MiB, and a reason or a URL has at most 1500 bytes. The server
// may return fewer tasks.
constexpr int kPageTasks = 1000;
// With their specs.
constexpr size_t kLookupTasks = 100;

// An absent property, and one of another type, is empty.
std::string TextOf(const Entity& entity, const char* property) {
  return AsString(entity.Find(property)).value_or("");
}

// Nullopt for a key that no client writes.
std::optional<TaskRow> RowOf(const Entity& entity) {
  const std::optional<EntityKey> key = ParseEntityKey(entity.key());
  if (!key) return std::nullopt;
  TaskRow row;
  row.id = key->name;
  row.status = TextOf(entity, "status");
  if (row.status.empty()) row.status = "unknown";
  row.exit_code = TextOf(entity, "exit_code");
  row.failure_reason = TextOf(entity, "failure_reason");
  if (HasResult(row)) row.result_url = TextOf(entity, "command_result_url");
  return row;
}

// Repeats `request` after a transient error. The client repeats it for a few seconds only.
absl::Status Repeat(Clock& clock, const CancelToken& cancel,
                    absl::FunctionRef<absl::Status()> request) {
  for (int tries = 1;; ++tries) {
    absl::Status status = request();
    if (!IsTransient(status) || cancel.cancelled() || tries == kQueueTries) return status;
    WaitBeforeTry(tries, clock);
  }
}

absl::StatusOr<LookupResult> LookUp(DatastoreClient& client, const std::vector<EntityKey>& keys,
                                    Clock& clock, const CancelToken& cancel) {
  absl::StatusOr<LookupResult> found;
  RETURN_IF_ERROR(Repeat(clock, cancel, [&] {
    found = client.Lookup(keys, cancel);
    return found.status();
  }));
  return found;
}

// The client writes the URL into the task and into its spec. Reads the specs of the other tasks. A
// spec that is itself an object is not read.
absl::Status FindMissingUrls(DatastoreClient& client, Clock& clock, const CancelToken& cancel,
                             std::vector<TaskRow>& rows) {
  std::vector<TaskRow*> batch;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (HasResult(rows[i]) && rows[i].result_url.empty()) batch.push_back(&rows[i]);
    if (batch.empty() || (batch.size() < kLookupTasks && i + 1 < rows.size())) continue;
    std::vector<EntityKey> keys;
    for (const TaskRow* row : batch) keys.push_back({kTaskKind, row->id});
    ASSIGN_OR_RETURN(const LookupResult found, LookUp(client, keys, clock, cancel));
    for (size_t each = 0; each < batch.size(); ++each) {
      if (!found[each]) continue;
      const std::string args = TextOf(found[each]->entity, "args");
      batch[each]->result_url = ParseResultPlaces(args).command_result_url;
    }
    batch.clear();
  }
  return absl::OkStatus();
}

std::vector<TaskRow> InOrderOfIds(std::vector<TaskRow> rows) {
  std::vector<TaskRow> ordered;
  ordered.reserve(rows.size());
  for (const size_t index : ChooseRows(rows, {.sort_by = "task"})) {
    ordered.push_back(std::move(rows[index]));
  }
  return ordered;
}

// The error if neither the job nor a task of this version exists.
absl::Status NoSuchJob(DatastoreClient& client, const std::string& job_id,
                       const EqualityFilter& of_job, const CancelToken& cancel) {
  const std::string job = absl::StrCat("job ", PrintableText(job_id));
  const auto newer = client.FindKeys(kNewerTaskKind, of_job, Json(), /*limit=*/1, cancel);
  if (newer.ok() && !newer->keys.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        job, ": its tasks are of kind ", kNewerTaskKind, ", which this version cannot read"));
  }
  return absl::NotFoundError(absl::StrCat(job, ": does not exist"));
}

}  // namespace

absl::StatusOr<JobTasks> ReadJobTasks(DatastoreClient& client, const std::string& job_id,
                                      Clock& clock, const CancelToken& cancel,
                                      absl::FunctionRef<void(size_t tasks)> on_progress) {
  const std::vector<std::string> properties = {"status", "exit_code", "failure_reason",
                                               "command_result_url"};
  const EqualityFilter of_job = {{"job_id", StringValue(job_id)}};
  JobTasks result;
  Json after;  // null: from the first key
  for (bool at_end = false; !at_end;) {
    absl::StatusOr<EntityPage> page;
    RETURN_IF_ERROR(Repeat(clock, cancel, [&] {
      page = client.FindEntities(kTaskKind, of_job, properties, after, kPageTasks, cancel);
      return page.status();
    }));
    for (const Entity& entity : page->entities) {
      auto row = RowOf(entity);
      if (row) result.rows.push_back(*std::move(row));
    }
    if (!page->entities.empty()) after = page->entities.back().key();
    at_end = page->at_end || page->entities.empty();
    on_progress(result.rows.size());
  }
  ASSIGN_OR_RETURN(const LookupResult job, LookUp(client, {{kJobKind, job_id}}, clock, cancel));
  if (!job[0] && result.rows.empty()) return NoSuchJob(client, job_id, of_job, cancel);
  result.killed = job[0] && IsKilledJob(job[0]->entity);
  RETURN_IF_ERROR(FindMissingUrls(client, clock, cancel, result.rows));
  result.rows = InOrderOfIds(std::move(result.rows));
  return result;
}

}  // namespace sparkles
