#include "cli/cluster_monitor.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/backoff.h"
#include "base/status.h"

namespace sparkles {
namespace {

// Waits between requests for the keys while Datastore does not answer.
constexpr absl::Duration kFirstRetry = absl::Seconds(2);
constexpr absl::Duration kMaxRetry = absl::Minutes(1);
// Interval at which old logs are dropped while a task runs.
constexpr absl::Duration kDropPeriod = absl::Seconds(30);
// A client that follows a log calls about every second. Without a call for this time, no client
// follows it.
constexpr absl::Duration kReaderPause = absl::Seconds(3);

const EntityKey& KeysEntity() {
  static const EntityKey key{"ClusterKeys", "sparklespray"};
  return key;
}

absl::StatusOr<std::string> NonEmpty(std::optional<std::string> value, absl::string_view property) {
  if (value && !value->empty()) return *std::move(value);
  return absl::FailedPreconditionError(
      absl::StrCat("ClusterKeys/sparklespray: ", property, ": is missing or has the wrong type"));
}

absl::StatusOr<MonitorKeys> KeysIn(const LookupResult& found) {
  if (!found.empty() && found[0]) return ParseMonitorKeys(found[0]->entity);
  return absl::NotFoundError("Datastore has no entity ClusterKeys/sparklespray");
}

}  // namespace

absl::StatusOr<MonitorKeys> ParseMonitorKeys(const Entity& entity) {
  MonitorKeys keys;
  ASSIGN_OR_RETURN(keys.certificate, NonEmpty(AsBlob(entity.Find("cert")), "cert"));
  ASSIGN_OR_RETURN(keys.private_key, NonEmpty(AsBlob(entity.Find("private_key")), "private_key"));
  ASSIGN_OR_RETURN(keys.shared_secret,
                   NonEmpty(AsString(entity.Find("shared_secret")), "shared_secret"));
  return keys;
}

absl::StatusOr<MonitorKeys> ReadMonitorKeys(DatastoreClient& datastore, const CancelToken& cancel) {
  ASSIGN_OR_RETURN(const LookupResult found, datastore.Lookup({KeysEntity()}, cancel));
  return KeysIn(found);
}

ClusterMonitor::ClusterMonitor(std::string host, int port, DatastoreClient& datastore, Clock& clock,
                               const CancelToken& cancel, const Log& log)
    : host_(std::move(host)),
      port_(port),
      datastore_(datastore),
      clock_(clock),
      log_(log),
      outputs_(clock) {
  const bool decided = Start(cancel);
  const auto run = [this, decided](const CancelToken& done) { Run(decided, done); };
  thread_.emplace("monitor-keeper", run, &cancel);
  if (!thread_->status().ok()) log_.Warning("Monitor: ", thread_->status().message());
}

void ClusterMonitor::Run(bool decided, const CancelToken& done) {
  Backoff backoff(kFirstRetry, kMaxRetry, 1);
  while (!decided && clock_.Sleep(backoff.Next(), done)) decided = Start(done);
  while (clock_.Sleep(kDropPeriod, done)) outputs_.DropOld();
}

bool ClusterMonitor::Start(const CancelToken& cancel) {
  const auto found = datastore_.Lookup({KeysEntity()}, cancel);
  if (!found.ok()) {
    if (!cancel.cancelled()) {
      log_.Warning("Monitor: cannot read its keys, and tries again: ", found.status().message());
    }
    return false;
  }
  auto server = StartServer(*found);
  MutexLock lock(mutex_);
  failed_ = !server.ok();
  if (failed_) {
    log_.Warning("Monitor: cannot start, tasks run without it: ", server.status().message());
    return true;
  }
  log_.Info("the Monitor listens on port ", port_);
  server_ = *std::move(server);
  return true;
}

absl::StatusOr<std::unique_ptr<MonitorServer>> ClusterMonitor::StartServer(
    const LookupResult& found) {
  ASSIGN_OR_RETURN(const MonitorKeys keys, KeysIn(found));
  MonitorOptions options;
  options.port = port_;
  return MonitorServer::Start(keys, options, outputs_, clock_);
}

std::string ClusterMonitor::Address() {
  MutexLock lock(mutex_);
  return server_ ? absl::StrCat(host_, ":", port_) : "";
}

void ClusterMonitor::AwaitReaders(const CancelToken& cancel) {
  constexpr absl::Duration kCheckInterval = absl::Milliseconds(150);
  // Sums the waits, because the clock may be set meanwhile.
  for (absl::Duration waited; waited < kMaxReaderWait; waited += kCheckInterval) {
    if (clock_.Now() - outputs_.LastUnfinishedRead() >= kReaderPause) return;
    if (!clock_.Sleep(kCheckInterval, cancel)) return;
  }
}

absl::Status ClusterMonitor::AddLog(const std::string& task_id, const std::string& path) {
  {
    MutexLock lock(mutex_);
    if (failed_) return absl::OkStatus();
  }
  return outputs_.Add(task_id, path);
}

}  // namespace sparkles
