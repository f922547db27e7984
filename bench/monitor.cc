// Measures the cost of the Monitor: counting processes, and serving clients that follow a log.
// The server runs in this process and the clients in another one, so that their CPU times are
// separate. Both are forked before gRPC starts any thread.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "bench/support/bench.h"
#include "monitor/client.h"
#include "monitor/process_status.h"
#include "monitor/server.h"

namespace sparkles {
namespace {

constexpr int kProcesses = 10'000;
constexpr size_t kRealProcesses = 2000;
constexpr double kMaxStatusSeconds = 0.050;
constexpr int64_t kLogBytes = 1'000'000'000;
constexpr int32_t kPieceBytes = 100'000;  // the usual client's piece
constexpr double kSeconds = 5;
constexpr char kTask[] = "job.1";
constexpr char kSecret[] = "secret";

struct Cost {
  double cpu = 0;  // seconds
  int64_t memory = 0;
};

// The cost of this process since its start.
Cost CostSoFar() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return {seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss * 1024};
}

// The median CPU time of one status request that finds at least `count` processes.
double StatusSeconds(const std::string& proc_root, int count) {
  std::vector<double> times;
  for (int round = 0; round < 11; ++round) {
    const double start = CostSoFar().cpu;
    if (ReadProcessStatus(proc_root).process_count < count) GiveUp("processes are lost");
    times.push_back(CostSoFar().cpu - start);
  }
  return Median(times);
}

// Uses a directory in memory that looks like /proc.
void MeasureMadeUpProcesses() {
  const BenchDir bench_dir("/dev/shm");
  for (int pid = 1; pid <= kProcesses; ++pid) {
    const std::string directory = absl::StrCat(bench_dir.path(), "/", pid);
    OrExit(MakeDirectories(directory));
    OrExit(WriteFileAtomically(directory + "/statm", "1000 200 30 40 0 50 0\n", false));
  }
  const double seconds = StatusSeconds(bench_dir.path(), kProcesses);
  PrintLine("status of 10,000 made-up processes", Milliseconds(seconds), "", "< 50 ms",
            seconds < kMaxStatusSeconds);
}

// The kernel takes most of this time to open and generate the files of /proc.
void MeasureRealProcesses() {
  const int before = ReadProcessStatus().process_count;
  std::vector<pid_t> children;
  while (children.size() < kRealProcesses) {
    const pid_t child = fork();
    if (child < 0) GiveUp("no more processes");
    if (child == 0) {
      while (true) pause();
    }
    children.push_back(child);
  }
  const int count = before + static_cast<int>(children.size());
  const double seconds = StatusSeconds("/proc", static_cast<int>(children.size()));
  for (const pid_t child : children) kill(child, SIGKILL);
  for (const pid_t child : children) (void)waitpid(child, nullptr, 0);
  PrintLine(absl::StrCat("status of ", count, " real processes"), Milliseconds(seconds),
            absl::StrFormat("%.1f us for each", seconds * 1e6 / count), "", true);
}

void MakeLog(const std::string& path) {
  const UniqueFd file = OrExit(OpenFile(path, O_CREAT | O_WRONLY));
  std::string block;
  while (block.size() < 1'000'000) block += std::string(99, 'x') + "\n";
  for (int64_t bytes = 0; bytes < kLogBytes; bytes += static_cast<int64_t>(block.size())) {
    OrExit(WriteAll(file.get(), block, path));
  }
}

struct Order {
  int port = 0;
  int clients = 0;
  bool at_end = false;  // each client polls once a second and finds no new data
};

struct Counts {
  uint64_t calls = 0;
  uint64_t bytes = 0;
};

void Tail(MonitorClient& client, const Order& order, double end, std::atomic<uint64_t>& calls,
          std::atomic<uint64_t>& bytes) {
  int64_t offset = order.at_end ? kLogBytes : 0;
  while (Seconds() < end) {
    const auto piece = client.ReadOutput(kTask, offset, kPieceBytes);
    if (!piece.ok()) GiveUp(piece.status().message());
    ++calls;
    bytes += piece->data.size();
    offset = piece->at_end && !order.at_end ? 0 : piece->new_offset;
    if (order.at_end) absl::SleepFor(absl::Seconds(1));
  }
}

Counts RunClients(const Order& order, const std::string& certificate) {
  std::vector<std::unique_ptr<MonitorClient>> clients;
  for (int i = 0; i < order.clients; ++i) {
    clients.push_back(std::make_unique<MonitorClient>(absl::StrCat("localhost:", order.port),
                                                      certificate, kSecret));
    // Connect before the measurement starts.
    OrExit(clients.back()->ReadOutput(kTask, kLogBytes, 1).status());
  }
  std::atomic<uint64_t> calls = 0;
  std::atomic<uint64_t> bytes = 0;
  std::vector<std::thread> threads;
  const double end = Seconds() + kSeconds;
  for (const auto& client : clients) {
    threads.emplace_back([&, end] { Tail(*client, order, end, calls, bytes); });
  }
  for (std::thread& thread : threads) thread.join();
  return {calls, bytes};
}

// A process that executes one order.
class ClientProcess {
 public:
  explicit ClientProcess(const std::string& certificate) {
    if (pipe(orders_.data()) != 0 || pipe(counts_.data()) != 0) GiveUp("no pipe");
    if (fork() != 0) return;
    Order order;
    if (read(orders_[0], &order, sizeof order) != sizeof order) _exit(1);
    const Counts counts = RunClients(order, certificate);
    _exit(write(counts_[1], &counts, sizeof counts) == sizeof counts ? 0 : 1);
  }

  Counts Run(const Order& order) {
    Counts counts;
    if (write(orders_[1], &order, sizeof order) != sizeof order ||
        read(counts_[0], &counts, sizeof counts) != sizeof counts) {
      GiveUp("the clients are gone");
    }
    (void)wait(nullptr);
    return counts;
  }

 private:
  std::array<int, 2> orders_{};
  std::array<int, 2> counts_{};
};

void MeasureClients(const Order& order, ClientProcess& clients) {
  const Cost before = CostSoFar();
  const Counts counts = clients.Run(order);
  const double cpu = (CostSoFar().cpu - before.cpu) / kSeconds;
  const double bytes = static_cast<double>(counts.bytes) / kSeconds;
  PrintLine(
      absl::StrCat(order.clients, order.at_end ? " clients wait at its end" : " clients tail it"),
      absl::StrFormat("%.0f calls/s", static_cast<double>(counts.calls) / kSeconds),
      absl::StrFormat("%s/s, %.2f processors", HumanBytes(bytes), cpu), "", true);
}

int Run(int argc, char** argv) {
  (void)ParseSettings(argc, argv);
  PrintLoad();
  MeasureMadeUpProcesses();
  MeasureRealProcesses();
  const BenchDir bench_dir(DiskDirectory());
  const std::string key = bench_dir.path() + "/key.pem";
  const std::string certificate = bench_dir.path() + "/certificate.pem";
  Shell(absl::StrCat("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=sparkles.server -keyout ",
                     key, " -out ", certificate));
  const std::string pem = OrExit(ReadFile(certificate, 1 << 20));
  std::vector<Order> orders = {{0, 1}, {0, 10}, {0, 100}, {0, 1, true}, {0, 100, true}};
  std::vector<ClientProcess> clients;
  for (size_t i = 0; i < orders.size(); ++i) clients.emplace_back(pem);

  SystemClock clock;
  OutputTable outputs(clock);
  MakeLog(bench_dir.path() + "/log");
  OrExit(outputs.Add(kTask, bench_dir.path() + "/log"));
  const int64_t memory = CostSoFar().memory;
  const auto server = OrExit(
      MonitorServer::Start({pem, OrExit(ReadFile(key, 1 << 20)), kSecret}, {}, outputs, clock));
  PrintLine("memory of a Monitor without clients",
            HumanBytes(static_cast<double>(CostSoFar().memory - memory)), "", "", true);
  absl::PrintF("a log of 1 GB, pieces of 100 KB:\n");
  for (size_t i = 0; i < orders.size(); ++i) {
    orders[i].port = server->port();
    MeasureClients(orders[i], clients[i]);
  }
  PrintLine("memory after that", HumanBytes(static_cast<double>(CostSoFar().memory - memory)), "",
            "", true);
  return 0;
}

}  // namespace
}  // namespace sparkles

int main(int argc, char** argv) { return sparkles::Run(argc, argv); }
