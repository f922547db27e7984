// doctor: checks a set-up before a task fails. Builds the checks that apply to the flags, and runs
// them in up to three rounds, because some checks need the results of others.
#include <sys/utsname.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "cli/cluster_monitor.h"
#include "cli/commands.h"
#include "cli/google_cloud.h"
#include "cli/version.h"
#include "doctor/bucket_checks.h"
#include "doctor/check_runner.h"
#include "doctor/credential_checks.h"
#include "doctor/datastore_checks.h"
#include "doctor/directory_checks.h"
#include "doctor/monitor_checks.h"
#include "doctor/network_checks.h"
#include "doctor/report.h"
#include "doctor/system_checks.h"
#include "doctor/tasks_file_check.h"
#include "doctor/vm_checks.h"
#include "gcp/credentials_file.h"
#include "gcp/environment.h"
#include "gcp/google_url.h"
#include "http/curl_proxy.h"
#include "http/host_lookup.h"
#include "worker/exit_code.h"
#include "worker/signals.h"

namespace sparkles {
namespace {

// A metadata server that must exist is asked again for this long.
constexpr absl::Duration kMetadataTimeout = absl::Seconds(3);
// Limits the commit after the limit of its check has passed.
constexpr StopTime kCommitTime = {.within = absl::Seconds(2)};

// Results that later checks use. A check that was abandoned may still write them.
class Facts {
 public:
  void SetProject(const std::string& project) {
    MutexLock lock(mutex_);
    project_ = project;
  }
  std::string project() const {
    MutexLock lock(mutex_);
    return project_;
  }
  void SetUsesStorage() {
    MutexLock lock(mutex_);
    uses_storage_ = true;
  }
  bool uses_storage() const {
    MutexLock lock(mutex_);
    return uses_storage_;
  }

 private:
  mutable Mutex mutex_;
  std::string project_ ABSL_GUARDED_BY(mutex_);
  bool uses_storage_ ABSL_GUARDED_BY(mutex_) = false;
};

class Doctor {
 public:
  // Borrows all arguments.
  Doctor(const ConsumeOptions& options, const DoctorOptions& doctor, const CancelToken& stop)
      : options_(options), doctor_(doctor), stop_(stop) {}

  // Runs all checks, and prints their findings.
  void Run() {
    AddLocalChecks();
    // The tasks file tells whether a local run needs Google.
    if (!is_cluster()) RunRound();
    AddNetworkChecks();
    RunRound();
    AddServiceChecks();
    RunRound();
    if (doctor_.json) {
      std::cout << FormatJson(findings_, WorkerVersion());
    } else {
      std::cout << FormatCounts(findings_);
    }
    std::cout.flush();
  }

  bool failed() const { return HasFailure(findings_); }
  bool abandoned() const { return abandoned_; }

 private:
  using RunCheck = std::function<void(const CancelToken& cancel, Findings& findings)>;

  bool is_cluster() const { return options_.tasks_file.empty(); }
  bool uses_storage() const {
    return is_cluster() || !doctor_.buckets.empty() || facts_->uses_storage();
  }

  void Add(const char* name, std::string thing, RunCheck run) {
    checks_.push_back({name, std::move(thing), std::move(run)});
  }

  void RunRound() {
    if (stop_.cancelled()) checks_.clear();
    CheckResults results = RunChecks(std::exchange(checks_, {}), stop_);
    abandoned_ |= results.abandoned;
    if (!doctor_.json) std::cout << FormatFindings(results.findings) << std::flush;
    for (Finding& finding : results.findings) findings_.push_back(std::move(finding));
  }

  // The first round: this machine.
  void AddLocalChecks();
  void AddSystemChecks();
  void AddDirectoryChecks();
  void AddPortChecks();
  // The second round: networks, credentials, and the VM.
  void AddNetworkChecks();
  void AddServerChecks();
  void AddVmChecks();
  // The third round: what needs credentials.
  void AddServiceChecks();
  void AddDatastoreChecks();
  void AddBucketChecks();

  // The reason why a check of `api` cannot run; empty if it can.
  std::string ReasonToSkip(const ApiClient& api, bool emulator) const;
  bool IsEmulated(const char* variable) const { return !ProcessEnvironment(variable).empty(); }

  const ConsumeOptions& options_;
  const DoctorOptions& doctor_;
  const CancelToken& stop_;
  const std::shared_ptr<Facts> facts_ = std::make_shared<Facts>();
  SystemClock clock_;
  GoogleCloud cloud_{ProcessEnvironment,
                     clock_,
                     nullptr,
                     nullptr,
                     {.metadata_timeout = kMetadataTimeout, .project_id = options_.project_id}};
  const bool datastore_emulated_ = IsEmulated("DATASTORE_EMULATOR_HOST");
  const bool storage_emulated_ = IsEmulated("STORAGE_EMULATOR_HOST");
  std::vector<Check> checks_;
  std::vector<Finding> findings_;
  bool abandoned_ = false;
};

void Doctor::AddLocalChecks() {
  AddSystemChecks();
  AddDirectoryChecks();
  AddPortChecks();
  if (is_cluster()) return;
  Add("tasks-file", "tasks file",
      [this, facts = facts_](const CancelToken& cancel, Findings& findings) {
        if (UsesCloudStorage(options_.tasks_file)) facts->SetUsesStorage();
        CheckTasksFile(options_.tasks_file, cancel, findings);
        CheckStateFile(options_.tasks_file, findings);
      });
  checks_.back().stuck_remedy = "split a very large file, and check the file system that has it";
}

void Doctor::AddSystemChecks() {
  Add("version", "version", [this](const CancelToken&, Findings& findings) {
    const std::string& expected = options_.expected_version;
    if (expected.empty() || IsExpectedVersion(expected)) {
      return findings.Ok("version", VersionLine());
    }
    findings.Fail("version",
                  absl::StrCat("this is ", VersionLine(), ", and --expectedVersion is ", expected),
                  "set sparklesworker_image in .sparkles to an image of that version");
  });
  Add("kernel", "kernel", [](const CancelToken&, Findings& findings) {
    utsname names = {};
    uname(&names);
    CheckKernel(names.release, findings);
  });
  Add("shell", "/bin/sh", [](const CancelToken& cancel, Findings& findings) {
    CheckShell("/bin/sh", cancel, findings);
  });
  Add("limits", "limits", [this](const CancelToken&, Findings& findings) {
    rlimit files = {};
    rlimit processes = {};
    getrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_NPROC, &processes);
    CheckOpenFiles(files, options_.transfers, findings);
    CheckProcesses(processes, geteuid() == 0, "/proc", findings);
    CheckMemory("/proc", findings);
  });
}

void Doctor::AddDirectoryChecks() {
  for (const bool is_cache : {false, true}) {
    const DirectoryNeeds needs = {.flag = is_cache ? "--cacheDir" : "--tasksDir",
                                  .path = is_cache ? options_.cache_dir : options_.tasks_dir,
                                  .exec = !is_cache,
                                  .locks = true,
                                  .min_free_bytes = options_.min_free_bytes,
                                  .cache_dir = options_.cache_dir};
    Add("directory", needs.flag, [needs](const CancelToken& cancel, Findings& findings) {
      CheckDirectory(needs, cancel, findings);
    });
    checks_.back().stuck_remedy = "the file system does not answer: check its mount";
  }
}

void Doctor::AddPortChecks() {
  if (options_.health_port != 0) {
    Add("health-port", "--healthPort", [this](const CancelToken&, Findings& findings) {
      CheckHealthPort(options_.health_address, options_.health_port, findings);
    });
  }
  if (options_.port == 0 || !is_cluster()) return;
  Add("monitor-port", "--port", [this](const CancelToken& cancel, Findings& findings) {
    const auto find_address = [&]() -> std::string {
      if (options_.localhost) return "";
      const auto identity = cloud_.metadata().Identity(cancel);
      return identity.ok() ? identity->address : "";
    };
    CheckMonitorPort(options_.port, find_address, cancel, findings);
  });
}

void Doctor::AddNetworkChecks() {
  const bool needs_token =
      (uses_storage() && !storage_emulated_) || (is_cluster() && !datastore_emulated_);
  if (uses_storage()) AddServerChecks();
  AddVmChecks();
  if (!needs_token) return;
  Add("ca-certificates", "CA certificates", [](const CancelToken&, Findings& findings) {
    CheckCaRoots(FindCaRoots(ProcessEnvironment), findings);
  });
  Add("proxy", "proxy", [](const CancelToken& cancel, Findings& findings) {
    CheckProxy(ProcessEnvironment, LookUpHost, cancel, findings);
  });
  Add("clock", "clock", [this](const CancelToken& cancel, Findings& findings) {
    const ApiClient& api = storage_emulated_ ? cloud_.datastore_api() : cloud_.storage_api();
    CheckClock(api.base_url(), cloud_.transport(), clock_, cancel, findings);
  });
  Add("credentials", "credentials", [this](const CancelToken& cancel, Findings& findings) {
    CheckCredentials(ProcessEnvironment, cloud_.tokens(), clock_, cancel, findings);
  });
  Add("scopes", "scopes", [this](const CancelToken& cancel, Findings& findings) {
    CheckScopes(ProcessEnvironment, cloud_.metadata(), is_cluster() && !datastore_emulated_, cancel,
                findings);
  });
}

void Doctor::AddServerChecks() {
  const auto add = [this](const ApiClient& api, bool emulator) {
    const std::string host = UrlAuthority(api.base_url());
    const Endpoint endpoint = {api.base_url(), emulator,
                               UsesProxy("https", ProcessEnvironment, host)};
    Add("server", host, [this, endpoint](const CancelToken& cancel, Findings& findings) {
      CheckEndpoint(endpoint, cloud_.transport(), LookUpHost, cancel, findings);
    });
  };
  add(cloud_.storage_api(), storage_emulated_);
  const bool same = cloud_.datastore_api().base_url() == cloud_.storage_api().base_url();
  if (is_cluster() && !same) add(cloud_.datastore_api(), datastore_emulated_);
  if (storage_emulated_ && (datastore_emulated_ || !is_cluster())) return;
  // The server that gives tokens for a credentials file.
  Add("server", "token server", [this](const CancelToken& cancel, Findings& findings) {
    const auto file = FindCredentialsFile(ProcessEnvironment);
    if (!file.ok() || !file->has_value()) return;
    for (const char* const field : {"token_uri", "token_url"}) {
      const std::string host = UrlAuthority(JsonText((*file)->fields, field));
      const Endpoint endpoint = {"https://" + host, false,
                                 UsesProxy("https", ProcessEnvironment, host)};
      if (host.empty() || !CheckGoogleUrl(endpoint.url, field).ok()) continue;
      CheckEndpoint(endpoint, cloud_.transport(), LookUpHost, cancel, findings);
    }
  });
}

void Doctor::AddVmChecks() {
  if (!is_cluster()) return;
  if (!options_.localhost) {
    Add("vm", "metadata server", [this](const CancelToken& cancel, Findings& findings) {
      CheckVm(cloud_.metadata(), cancel, findings);
    });
  }
  Add("project", "project", [this, facts = facts_](const CancelToken& cancel, Findings& findings) {
    const auto project =
        FindProjectId(options_.project_id, ProcessEnvironment, cloud_.metadata(), cancel);
    if (!project.ok()) {
      return findings.Fail("project", project.status().message(), "set --projectId");
    }
    facts->SetProject(*project);
    findings.Ok("project", *project);
  });
}

void Doctor::AddServiceChecks() {
  if (is_cluster()) AddDatastoreChecks();
  AddBucketChecks();
}

std::string Doctor::ReasonToSkip(const ApiClient& api, bool emulator) const {
  const std::string host = UrlAuthority(api.base_url());
  if (HasFailure(findings_, "server", host)) return absl::StrCat(host, " cannot be reached");
  if (!emulator && HasFailure(findings_, "credentials")) return "there are no usable credentials";
  return "";
}

void Doctor::AddDatastoreChecks() {
  std::string reason = ReasonToSkip(cloud_.datastore_api(), datastore_emulated_);
  if (facts_->project().empty()) reason = "the project is unknown";
  const auto add = [&](const char* name, const char* thing,
                       std::function<void(DatastoreClient&, const CancelToken&, Findings&)> run) {
    Add(name, thing, [=, this](const CancelToken& cancel, Findings& findings) {
      if (!reason.empty()) return findings.Skip(thing, reason);
      DatastoreClient client(cloud_.datastore_api(), facts_->project(),
                             {.stop = &cancel, .stop_time = kCommitTime});
      run(client, cancel, findings);
    });
  };
  add("datastore", "Datastore",
      [this](DatastoreClient& client, const CancelToken& cancel, Findings& findings) {
        CheckDatastore(client, {facts_->project(), options_.cluster}, cancel, findings);
      });
  if (options_.port == 0) return;
  add("monitor-keys", "Monitor keys",
      [this](DatastoreClient& client, const CancelToken& cancel, Findings& findings) {
        CheckClusterKeys([&] { return ReadMonitorKeys(client, cancel); }, clock_.Now(), findings);
      });
}

void Doctor::AddBucketChecks() {
  const std::string reason = ReasonToSkip(cloud_.storage_api(), storage_emulated_);
  for (const std::string& flag : doctor_.buckets) {
    const absl::StatusOr<BucketTarget> target = ParseBucket(flag);
    if (!target.ok()) continue;  // the command line refuses such a value
    const std::string url = BucketUrl(*target);
    Add("bucket", url, [=, this](const CancelToken& cancel, Findings& findings) {
      if (!reason.empty()) return findings.Skip(url, reason);
      CheckBucket(cloud_.gcs(), *target, cancel, findings);
    });
    if (!doctor_.write || !reason.empty()) continue;
    Add("bucket-write", "write to " + url,
        [=, this](const CancelToken& cancel, Findings& findings) {
          CheckBucketWrite(cloud_.gcs(), cloud_.store(), *target, cancel, findings);
        });
  }
}

}  // namespace

int RunDoctor(const ConsumeOptions& options, const DoctorOptions& doctor) {
  // A signal cancels the checks, so that they remove what they made.
  BlockSignals();
  SystemClock clock;
  LogSink sink(clock, STDERR_FILENO, LogFormat::kText, Severity::kWarning);
  CancelToken stop;
  StopSignals signals(stop, stop, sink);
  Doctor examination(options, doctor, stop);
  examination.Run();
  int code = examination.failed() ? kExitFailed : kExitDone;
  if (stop.cancelled()) code = signals.received() != 0 ? 128 + signals.received() : kExitFailed;
  // A thread that hangs still uses the objects of this function.
  if (examination.abandoned()) _exit(code);
  return code;
}

}  // namespace sparkles
