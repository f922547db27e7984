// Simulates a fleet of workers that start in the same second and empty one queue.
// Uses the simulator's clock. Prints the total time and the number of requests to Datastore.
//
// Usage: bench_fleet WORKERS TASKS [SECONDS_A_TASK]
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/json.h"
#include "bench/support/bench.h"
#include "gcp/api_client.h"
#include "gcp/datastore_client.h"
#include "queue/datastore_queue.h"
#include "tests/sim/scheduler.h"
#include "tests/support/datastore_lab.h"
#include "tests/support/fake_datastore.h"
#include "worker/consumer.h"

namespace sparkles {
namespace {

// The latency of Datastore for a VM in the same region: median and sigma of a log-normal
// distribution.
struct Latency {
  absl::Duration median;
  double sigma;
};
constexpr double kSpread = 0.3;
constexpr Latency kQuery = {absl::Milliseconds(30), kSpread};
constexpr Latency kLookup = {absl::Milliseconds(10), kSpread};
constexpr Latency kCommit = {absl::Milliseconds(25), kSpread};

// One request starts all workers, but not in the same millisecond.
constexpr absl::Duration kStartWithin = absl::Seconds(1);
constexpr char kContention[] = R"({"error": {"code": 409, "status": "ABORTED"}})";

struct Counts {
  std::map<std::string, int> requests;  // by method
  int lost_commits = 0;                 // commits answered with a conflict or with contention
  std::vector<absl::Time> first_task;   // one for each worker that got a task
  absl::Time last_end = absl::InfinitePast();
  int ended = 0;
};

// Datastore as all workers see it: requests take time, and if two commits to one entity overlap,
// the later one fails.
class FleetTransport : public HttpTransport {
 public:
  FleetTransport(Scheduler& scheduler, FakeDatastore& datastore, Counts& counts)
      : scheduler_(scheduler), datastore_(datastore), counts_(counts) {}

  absl::StatusOr<HttpResponse> Send(const HttpRequest& request) override {
    const std::string method = request.url.substr(request.url.rfind(':') + 1);
    ++counts_.requests[method];
    const absl::Duration latency = Sample(method);
    if (method != "commit") {
      scheduler_.Sleep(latency / 2, nullptr);
      auto response = datastore_.Send(request);
      scheduler_.Sleep(latency / 2, nullptr);
      return response;
    }
    const std::string key = KeyOf(request);
    const bool contended = in_flight_[key] > 0;
    ++in_flight_[key];
    scheduler_.Sleep(latency / 2, nullptr);
    auto response = contended ? Contention() : datastore_.Send(request);
    scheduler_.Sleep(latency / 2, nullptr);
    if (--in_flight_[key] == 0) in_flight_.erase(key);
    const bool lost = response->status == 409 || absl::StrContains(response->body, "conflict");
    counts_.lost_commits += lost ? 1 : 0;
    return response;
  }

 private:
  static std::string KeyOf(const HttpRequest& request) {
    return DumpJson(ParseJson(request.body).value()["mutations"][0]["update"]["key"]);
  }
  static HttpResponse Contention() {
    HttpResponse response;
    response.status = 409;
    response.body = kContention;
    return response;
  }
  absl::Duration Sample(const std::string& method) {
    const Latency& latency =
        method == "runQuery" ? kQuery : (method == "lookup" ? kLookup : kCommit);
    return latency.median * std::exp(latency.sigma * normal_(random_));
  }

  Scheduler& scheduler_;
  FakeDatastore& datastore_;
  Counts& counts_;
  std::map<std::string, int> in_flight_;
  std::mt19937_64 random_{1};
  std::normal_distribution<> normal_;
};

// Runs one worker until the queue is empty.
void Work(Scheduler& scheduler, FleetTransport& transport, absl::Duration task_time, LogSink& sink,
          Counts& counts) {
  scheduler.Sleep(scheduler.RandomDuration(kStartWithin), nullptr);
  SimClock clock(scheduler, absl::ZeroDuration());
  const Log log(sink);
  ApiClient api({"http://datastore", nullptr}, transport, clock);
  DatastoreClient client(api, "demo");
  DatastoreQueue queue(
      {.cluster = DatastoreLab::kCluster, .owner = "worker", .monitor_address = nullptr}, client,
      clock, log);
  CancelToken stop;
  Consumer consumer({.linger = absl::ZeroDuration()}, clock, queue, stop, log);
  bool first = true;
  consumer.Run([&](const Claim&, const CancelToken& cancel, ConfirmClaim) {
    if (first) counts.first_task.push_back(scheduler.Now());
    first = false;
    clock.Sleep(task_time, cancel);
    counts.last_end = std::max(counts.last_end, scheduler.Now());
    ++counts.ended;
    Outcome outcome;
    outcome.kind = Outcome::Kind::kComplete;
    outcome.exit_code = "0";
    return outcome;
  });
}

void Print(int workers, int tasks, absl::Duration task_time, absl::Time start,
           const Counts& counts) {
  const auto per_task = [&](double count) { return count / tasks; };
  const auto requests = [&](const char* method) {
    const auto found = counts.requests.find(method);
    return found == counts.requests.end() ? 0 : found->second;
  };
  int all = 0;
  for (const auto& [method, count] : counts.requests) all += count;
  const double ideal =
      std::ceil(static_cast<double>(tasks) / workers) * absl::ToDoubleSeconds(task_time);
  const double makespan = absl::ToDoubleSeconds(counts.last_end - start);
  const double last_first = absl::ToDoubleSeconds(
      *std::max_element(counts.first_task.begin(), counts.first_task.end()) - start);
  std::printf("| %d | %d | %.1f | %.1f | %.1f%% | %.2f | %.2f | %.2f | %.2f | %.3f | %.1f |\n",
              workers, tasks, makespan, ideal, 100 * ideal / makespan, per_task(all),
              per_task(requests("runQuery")), per_task(requests("lookup")),
              per_task(requests("commit")), per_task(counts.lost_commits), last_first);
  if (counts.ended < tasks) GiveUp(absl::StrCat("only ", counts.ended, " tasks have ended"));
}

void Simulate(int workers, int tasks, absl::Duration task_time) {
  Scheduler scheduler(/*seed=*/1, /*verbose=*/false);
  SimClock server_clock(scheduler, absl::ZeroDuration());
  FakeDatastore datastore;
  for (int i = 1; i <= tasks; ++i) {
    Task task;
    task.id = absl::StrCat("job-1.", i);
    task.job_id = "job-1";
    task.index = absl::StrCat(i);
    task.args = "{}";
    datastore.Put({kTaskKind, task.id}, DatastoreLab::PendingTask(task));
  }
  Counts counts;
  FleetTransport transport(scheduler, datastore, counts);
  const auto nowhere = OrExit(OpenFile("/dev/null", O_WRONLY));
  LogSink sink(server_clock, nowhere.get(), LogFormat::kText, Severity::kError);
  const absl::Time start = scheduler.Now();
  for (int i = 1; i <= workers; ++i) {
    scheduler.Spawn(i, [&] { Work(scheduler, transport, task_time, sink, counts); });
  }
  scheduler.Run();
  Print(workers, tasks, task_time, start, counts);
}

int Main(int argc, char** argv) {
  int workers = 0;
  int tasks = 0;
  int seconds = 60;
  const bool read = argc >= 3 && absl::SimpleAtoi(argv[1], &workers) &&
                    absl::SimpleAtoi(argv[2], &tasks) &&
                    (argc < 4 || absl::SimpleAtoi(argv[3], &seconds));
  if (!read || workers < 1 || tasks < 1 || seconds < 0) {
    GiveUp("usage: bench_fleet WORKERS TASKS [SECONDS_A_TASK]");
  }
  Simulate(workers, tasks, absl::Seconds(seconds));
  return 0;
}

}  // namespace
}  // namespace sparkles

int main(int argc, char** argv) { return sparkles::Main(argc, argv); }
