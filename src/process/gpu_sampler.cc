#include "process/gpu_sampler.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sparkles {
namespace {

constexpr char kUsualPlaces[] = ":/usr/bin:/usr/local/nvidia/bin";
// Where Container-Optimized OS installs the libraries of nvidia-smi, and no other ones.
constexpr char kLibraryPlace[] = "/usr/local/nvidia/lib64";
// stdout is a pipe to the worker. The shell replaces itself by nvidia-smi.
constexpr char kScript[] = "exec \"$0\" \"$@\" 2>/dev/null";
// A program that writes without end then costs less than 1 ms for each call.
constexpr size_t kMaxBytesPerSample = 64 << 10;
// nvidia-smi prints every second, and the sampler calls every second.
constexpr int kMaxSilentCalls = 10;

bool IsProgram(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && access(path.c_str(), X_OK) == 0;
}

}  // namespace

std::string FindNvidiaSmi(absl::string_view path) {
  const std::string places = absl::StrCat(path, kUsualPlaces);
  for (const absl::string_view place : absl::StrSplit(places, ':')) {
    // An entry like "." must not run a file of the current directory.
    if (!absl::StartsWith(place, "/")) continue;
    std::string program = absl::StrCat(place, "/nvidia-smi");
    if (IsProgram(program)) return program;
  }
  return "";
}

Command NvidiaSmiCommand(const std::string& nvidia_smi, absl::string_view library_path) {
  const std::string libraries =
      absl::StrCat(library_path, library_path.empty() ? "" : ":", kLibraryPlace);
  return {.argv = {"/bin/sh", "-c", kScript, nvidia_smi, absl::StrCat("--query-gpu=", kGpuFields),
                   "--format=csv,noheader,nounits", "--loop=1"},
          .environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
                          absl::StrCat("LD_LIBRARY_PATH=", libraries)},
          .directory = "/"};
}

void GpuSampler::Sample() {
  if (!started_ && ++calls_ > kSamplesBeforeStart) StartProgram();
  ReadOutput();
}

std::vector<GpuUsage> GpuSampler::End() {
  ReadOutput();
  output_.reset();
  if (started_) program_.End();
  ClearGauges();
  std::vector<GpuUsage> usage;
  if (record_) usage = record_->Usage();
  record_.reset();
  calls_ = 0;
  silent_calls_ = 0;
  started_ = false;
  return usage;
}

// If this fails, the next call tries again: the nvidia-smi of the last command may need a moment to
// die.
void GpuSampler::StartProgram() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return;
  UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  if (fcntl(read_end.get(), F_SETFL, O_NONBLOCK) != 0) return;
  command_.output_fd = write_end.get();
  if (!program_.Run(command_).ok()) return;
  output_ = std::move(read_end);
  record_.emplace(gauges_);
  started_ = true;
}

void GpuSampler::ReadOutput() {
  if (!output_.valid()) return;
  char buffer[4096];
  size_t total = 0;
  ssize_t got = 1;
  while (total < kMaxBytesPerSample && got > 0) {
    got = RetryOnEintr([&] { return read(output_.get(), buffer, sizeof buffer); });
    if (got <= 0) break;
    record_->Add({buffer, static_cast<size_t>(got)});
    total += static_cast<size_t>(got);
  }
  const bool ended = got == 0 || (got < 0 && errno != EAGAIN);
  if (ended) output_.reset();
  silent_calls_ = total > 0 ? 0 : silent_calls_ + 1;
  if (ended || silent_calls_ == kMaxSilentCalls) ClearGauges();
}

void GpuSampler::ClearGauges() {
  for (GpuGauge& gauge : gauges_) gauge.Clear();
}

}  // namespace sparkles
