// The command `summary`: shows the tasks of a file or a job, and which machine would do for them.
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/google_cloud.h"
#include "gcp/adc.h"
#include "gcp/datastore_client.h"
#include "storage/local_store.h"
#include "storage/object_url.h"
#include "storage/store_router.h"
#include "summary/file_tasks.h"
#include "summary/job_tasks.h"
#include "summary/result_reader.h"
#include "summary/summary_report.h"
#include "summary/words.h"
#include "worker/exit_code.h"

namespace sparkles {
namespace {

// A user waits: an outage of the metadata server ends the command after this time.
constexpr absl::Duration kMetadataTimeout = absl::Seconds(20);

void PrintError(absl::string_view message) {
  std::cerr << "sparklesworker summary: " << message << "\n";
}

// Shows on a terminal how many tasks or results are read, if the reading takes long. Thread-safe.
class ReadProgress {
 public:
  // Borrows both.
  ReadProgress(Clock& clock, LogSink& sink)
      : clock_(clock), sink_(sink), next_show_(clock.Now() + absl::Seconds(1)) {}

  void Show(absl::string_view what, size_t count) {
    if (!sink_.on_terminal()) return;
    MutexLock lock(mutex_);
    const absl::Time now = clock_.Now();
    if (now < next_show_) return;
    next_show_ = now + absl::Milliseconds(200);
    sink_.ShowBlock({absl::StrCat(what, " read: ", count)}, sink_.Size());
  }
  // Call it before other text is printed.
  void Clear() { sink_.ShowBlock({}, {}); }

 private:
  Clock& clock_;
  LogSink& sink_;
  Mutex mutex_;
  absl::Time next_show_ ABSL_GUARDED_BY(mutex_);
};

// Signals have their default action, so Ctrl-C ends the command at once: it changes nothing.
class Summary {
 public:
  explicit Summary(const SummaryOptions& options) : options_(options) {}

  int Run() {
    if (const int code = ReadTasks(); code != kExitDone) return code;
    const bool complete = ReadUse();
    const Report report =
        MakeReport(std::move(rows_), {options_.failed, options_.sort, options_.reverse});
    const absl::Status printed = WriteAll(STDOUT_FILENO, Format(report), "stdout");
    // The reader, such as `head`, wants no more.
    if (!printed.ok() && ErrnoOf(printed) != EPIPE) return Fail(printed, kExitFailed);
    return complete ? kExitDone : kExitFailed;
  }

 private:
  static int Fail(const absl::Status& status, int code) {
    PrintError(status.message());
    return code;
  }

  int ReadTasks() {
    if (options_.tasks_file.empty()) {
      const absl::Status read = ReadJob();
      progress_.Clear();
      return read.ok() ? kExitDone : Fail(read, kExitFailed);
    }
    auto tasks = ReadFileTasks(options_.tasks_file);
    if (!tasks.ok()) return Fail(tasks.status(), kExitTasksFile);
    for (const std::string& problem : tasks->problems) PrintError(problem);
    rows_ = std::move(tasks->rows);
    return kExitDone;
  }

  absl::Status ReadJob() {
    const CancelToken never;
    auto project =
        FindProjectId(options_.project_id, ProcessEnvironment, Cloud().metadata(), never);
    if (!project.ok()) return Annotate(project.status(), "--projectId");
    RETURN_IF_ERROR(Cloud().CheckCredentials(never));
    DatastoreClient client(Cloud().datastore_api(), *project);
    auto tasks = ReadJobTasks(client, options_.job, clock_, never,
                              [this](size_t count) { progress_.Show("tasks", count); });
    if (absl::IsNotFound(tasks.status())) {
      return WithMessage(tasks.status(), absl::StrCat(tasks.status().message(), " in project ",
                                                      *project, "; check --job and --projectId"));
    }
    if (!tasks.ok()) return tasks.status();
    if (tasks->killed) PrintError(absl::StrCat("a user has killed job ", options_.job));
    rows_ = std::move(tasks->rows);
    return absl::OkStatus();
  }

  // False if results exist that could not be read.
  bool ReadUse() {
    bool in_cloud = false;
    for (TaskRow& row : rows_) {
      // No worker can have stored a result at another URL.
      if (!CheckObjectUrl(row.result_url).ok()) row.result_url.clear();
      in_cloud |= absl::StartsWith(row.result_url, "gs://");
    }
    if (in_cloud) {
      const absl::Status usable = Cloud().CheckCredentials(CancelToken());
      if (!usable.ok()) {
        PrintError(absl::StrCat("cannot read the results in Cloud Storage: ", usable.message()));
        return false;
      }
    }
    LocalStore local;
    StoreRouter store(local, in_cloud ? &Cloud().store() : nullptr);
    const ResultProblems problems =
        ReadResults(store, rows_, [this](size_t count) { progress_.Show("results", count); });
    progress_.Clear();
    Print(problems);
    return problems.unreadable == 0;
  }

  static void Print(const ResultProblems& problems) {
    if (problems.malformed > 0) {
      PrintError(absl::StrCat("the results of ", TasksText(problems.malformed),
                              " are malformed, the first: ", problems.first_malformed.message()));
    }
    if (problems.unreadable == 0) return;
    const std::string skipped =
        problems.skipped == 0 ? "" : absl::StrCat(" (and did not try ", problems.skipped, " more)");
    PrintError(absl::StrCat("cannot read the results of ", TasksText(problems.unreadable), skipped,
                            ", the first: ", problems.first_unreadable.message()));
  }

  std::string Format(const Report& report) const {
    if (options_.format == "json") return FormatJson(report);
    if (options_.format == "csv") return FormatCsv(report);
    winsize size = {};
    const bool is_terminal = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    return FormatTable(report, is_terminal ? size.ws_col : 0);
  }

  // Made only if needed: a tasks file may need no cloud.
  GoogleCloud& Cloud() {
    if (!cloud_) {
      const CloudSettings settings = {.metadata_timeout = kMetadataTimeout,
                                      .project_id = options_.project_id};
      cloud_.emplace(ProcessEnvironment, clock_, nullptr, &log_, settings);
    }
    return *cloud_;
  }

  const SummaryOptions& options_;
  SystemClock clock_;
  LogSink sink_{clock_, STDERR_FILENO, LogFormat::kText, Severity::kWarning};
  const Log log_{sink_};
  ReadProgress progress_{clock_, sink_};
  std::optional<GoogleCloud> cloud_;
  std::vector<TaskRow> rows_;
};

}  // namespace

int RunSummary(const SummaryOptions& options) { return Summary(options).Run(); }

}  // namespace sparkles
