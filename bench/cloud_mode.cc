// Measures the shipped worker's transfers to and from Cloud Storage.
// bench/support/fast_gcs in this process plays Cloud Storage, without network, disk or checksums.
// `curl` with the same server is the baseline for large objects; the worker does more work
// (checksums, task directories, atomic files). The time of a transfer comes from the times that the
// worker records.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "bench/support/bench.h"
#include "bench/support/fast_gcs.h"

namespace sparkles {
namespace {

constexpr absl::Duration kLatency = absl::Milliseconds(20);
constexpr size_t kBlockBytes = 1 << 20;
constexpr double kMaxLateUploads = 1.5;    // seconds for 1,000
constexpr double kMaxLateDownloads = 1.0;  // seconds for 500
constexpr double kMinUploadsPerSecond = 3000;
constexpr double kMaxLarge = 1.15;          // times curl
constexpr int64_t kMaxMemory = 40'000'000;  // bytes
// Files stay until the end: see BenchDir. curl does not remove the file that it sends either.
const std::vector<std::string> kFlags = {"--durable=false", "--keepTasks"};

std::string Human(double bytes) { return HumanBytes(bytes); }

class CloudBench {
 public:
  CloudBench(const Settings& settings, const std::string& bench_dir)
      : settings_(settings), bench_dir_(bench_dir), block_(RandomBlock()) {
    setenv("STORAGE_EMULATOR_HOST", server_.url().c_str(), 1);
    OrExit(WriteFileAtomically(bench_dir_ + "/block", block_, /*durable=*/false));
  }

  void MeasureSmall();
  void MeasureLarge();
  // The maximum over all measurements, in bytes.
  int64_t memory() const { return memory_; }

 private:
  struct Figure {
    double seconds = 0;
    double requests = 0;
    int64_t memory = 0;
  };

  static std::string RandomBlock() {
    std::string block;
    for (int i = 0; block.size() < kBlockBytes; ++i) {
      block += HexHash(HashKind::kSha256, absl::StrCat(i)) + "\n";
    }
    block.resize(kBlockBytes);
    return block;
  }

  Json ArgsOf(const WorkerRun& run, const std::string& command) const {
    return {{"command", command}, {"command_result_url", run.results_url() + "/result.json"}};
  }
  std::string MakeFile(uint64_t bytes, const std::string& name) const {
    return absl::StrCat("while cat ", bench_dir_, "/block; do :; done 2>/dev/null | head -c ",
                        bytes, " > ", name);
  }
  Figure Median(const std::vector<Figure>& figures) const;
  Figure SmallUploads(int count);
  Figure SmallDownloads(int count);
  Figure LargeUpload(uint64_t bytes);
  Figure LargeDownload(uint64_t bytes);
  double CurlUpload(uint64_t bytes);
  double CurlDownload(uint64_t bytes);
  void PrintSmall(const char* what, int count, Figure (CloudBench::*measure)(int), double goal);
  void PrintLarge(uint64_t bytes, bool has_goal);

  const Settings& settings_;
  const std::string bench_dir_;
  const std::string block_;
  FastGcs server_;
  int64_t memory_ = 0;  // bytes; the maximum of all runs
};

CloudBench::Figure CloudBench::Median(const std::vector<Figure>& figures) const {
  std::vector<double> seconds;
  Figure median;
  for (const Figure& figure : figures) {
    seconds.push_back(figure.seconds);
    median.requests = figure.requests;
    median.memory = std::max(median.memory, figure.memory);
  }
  median.seconds = sparkles::Median(seconds);
  return median;
}

CloudBench::Figure CloudBench::SmallUploads(int count) {
  WorkerRun run(settings_, bench_dir_);
  Json args = ArgsOf(run, absl::StrCat("head -c ", int64_t{count} * 1024, " ", bench_dir_,
                                       "/many | split -b 1024 -a 4 -d - file"));
  args["uploads"] = {{"include_patterns", Json::array({"**"})}, {"dst_url", "gs://lab/out"}};
  run.AddTask(args);
  const int64_t before = server_.requests();
  const Ended ended = run.Run(kFlags);
  return {run.DeliverySeconds(), static_cast<double>(server_.requests() - before), ended.memory};
}

CloudBench::Figure CloudBench::SmallDownloads(int count) {
  WorkerRun run(settings_, bench_dir_);
  Json args = ArgsOf(run, "true");
  for (int i = 0; i < count; ++i) {
    const std::string content = absl::StrCat(i, "\n", block_.substr(0, 1000));
    const std::string name = HexHash(HashKind::kSha256, content);
    server_.Put("lab/CAS/" + name, MakeFastObject(content, content.size()));
    args["downloads"].push_back({{"src_url", "gs://lab/CAS/" + name},
                                 {"dst", absl::StrCat("input", i)},
                                 {"is_cas_key", true}});
  }
  run.AddTask(args);
  const int64_t before = server_.requests();
  const Ended ended = run.Run(kFlags);
  return {run.CommandStart() - run.StateTime("claimed"),
          static_cast<double>(server_.requests() - before), ended.memory};
}

CloudBench::Figure CloudBench::LargeUpload(uint64_t bytes) {
  const BenchDir bench_dir(bench_dir_);
  WorkerRun run(settings_, bench_dir.path());
  server_.Put("lab/out/big", MakeFastObject(block_, bytes));
  Json args = ArgsOf(run, MakeFile(bytes, "big"));
  args["uploads"] = {{"include_patterns", Json::array({"**"})}, {"dst_url", "gs://lab/out"}};
  run.AddTask(args);
  const Ended ended = run.Run(kFlags);
  return {run.DeliverySeconds(), 0, ended.memory};
}

CloudBench::Figure CloudBench::LargeDownload(uint64_t bytes) {
  const BenchDir bench_dir(bench_dir_);
  WorkerRun run(settings_, bench_dir.path());
  server_.Put("lab/in/big", MakeFastObject(block_, bytes));
  Json args = ArgsOf(run, "true");
  args["downloads"] = Json::array({{{"src_url", "gs://lab/in/big"}, {"dst", "big"}}});
  run.AddTask(args);
  const Ended ended = run.Run(kFlags);
  return {run.CommandStart() - run.StateTime("claimed"), 0, ended.memory};
}

double CloudBench::CurlUpload(uint64_t bytes) {
  const BenchDir bench_dir(bench_dir_);
  Shell(MakeFile(bytes, bench_dir.path() + "/big"));
  return Shell(absl::StrCat("exec curl -s -f -o /dev/null -H Expect: -T ", bench_dir.path(),
                            "/big ", server_.url(), "/session/lab/plain"))
      .seconds;
}

double CloudBench::CurlDownload(uint64_t bytes) {
  const BenchDir bench_dir(bench_dir_);
  server_.Put("lab/in/big", MakeFastObject(block_, bytes));
  return Shell(absl::StrCat("exec curl -s -f -o ", bench_dir.path(), "/big '", server_.url(),
                            "/storage/v1/b/lab/o/in%2Fbig?alt=media'"))
      .seconds;
}

// `goal` in seconds; 0 means kMinUploadsPerSecond.
void CloudBench::PrintSmall(const char* what, int count, Figure (CloudBench::*measure)(int),
                            double goal) {
  std::vector<Figure> figures;
  for (int round = 0; round < settings_.rounds; ++round) figures.push_back((this->*measure)(count));
  const Figure figure = Median(figures);
  const double most = goal > 0 ? goal : count / kMinUploadsPerSecond;
  memory_ = std::max(memory_, figure.memory);
  PrintLine(absl::StrCat(count, " ", what), absl::StrFormat("%.2f s", figure.seconds),
            absl::StrFormat("%.0f/s, %.0f requests, %s", count / figure.seconds, figure.requests,
                            Human(static_cast<double>(figure.memory))),
            absl::StrFormat("< %.2f s", most), figure.seconds < most);
}

void CloudBench::PrintLarge(uint64_t bytes, bool has_goal) {
  std::vector<Figure> ups;
  std::vector<Figure> downs;
  std::vector<double> curl_ups;
  std::vector<double> curl_downs;
  (void)CurlUpload(bytes);  // the first use of memory is slow
  for (int round = 0; round < settings_.rounds; ++round) {
    for (const bool ours : {round % 2 == 0, round % 2 != 0}) {
      if (ours) {
        ups.push_back(LargeUpload(bytes));
        downs.push_back(LargeDownload(bytes));
      } else {
        curl_ups.push_back(CurlUpload(bytes));
        curl_downs.push_back(CurlDownload(bytes));
      }
    }
  }
  const std::string size = Human(static_cast<double>(bytes));
  for (const auto& [what, figures, curl] :
       {std::tuple("upload of ", ups, curl_ups), std::tuple("download of ", downs, curl_downs)}) {
    const Figure figure = Median(figures);
    memory_ = std::max(memory_, figure.memory);
    PrintRatio(absl::StrCat(what, size, " (", Human(static_cast<double>(figure.memory)), ")"),
               figure.seconds, sparkles::Median(curl), "curl", has_goal ? kMaxLarge : 0);
  }
}

void CloudBench::MeasureSmall() {
  Shell(MakeFile(10'240'000, bench_dir_ + "/many"));
  absl::PrintF("with %s of latency for each request\n", absl::FormatDuration(kLatency));
  server_.set_latency(kLatency);
  PrintSmall("uploads of 1 KB in a task", 1000, &CloudBench::SmallUploads, kMaxLateUploads);
  PrintSmall("cached inputs of 1 KB", 500, &CloudBench::SmallDownloads, kMaxLateDownloads);
  absl::PrintF("without latency\n");
  server_.set_latency(absl::ZeroDuration());
  for (const int count : {1000, 5000, 10000}) {
    PrintSmall("uploads of 1 KB in a task", count, &CloudBench::SmallUploads, 0);
  }
}

void CloudBench::MeasureLarge() {
  for (const uint64_t megabytes : {uint64_t{100}, uint64_t{1000}, settings_.megabytes}) {
    PrintLarge(megabytes * 1'000'000, megabytes >= 1000);
  }
}

int Run(int argc, char** argv) {
  const Settings settings = ParseSettings(argc, argv);
  if (access("/usr/bin/curl", X_OK) != 0) GiveUp("the package curl is the baseline: install it");
  absl::PrintF("\nCloud Storage, a server in this process: medians of %d rounds\n",
               settings.rounds);
  PrintLoad();
  int64_t memory = 0;
  for (const std::string& parent : {DiskDirectory(), std::string("/dev/shm")}) {
    const BenchDir bench_dir(parent);
    CloudBench bench(settings, bench_dir.path());
    absl::PrintF("\nfiles in %s\n", parent);
    bench.MeasureSmall();
    bench.MeasureLarge();
    memory = std::max(memory, bench.memory());
  }
  PrintLine("peak memory of the worker, at most", Human(static_cast<double>(memory)),
            "its commands included", "< " + Human(static_cast<double>(kMaxMemory)),
            memory < kMaxMemory);
  return 0;
}

}  // namespace
}  // namespace sparkles

int main(int argc, char** argv) { return sparkles::Run(argc, argv); }
