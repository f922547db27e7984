// Samples the GPUs of the machine while a command runs, by nvidia-smi.
// Loading NVIDIA's driver and library can take seconds, or hang in the kernel. Therefore one
// nvidia-smi runs as long as the command, outside this process, and no function waits for it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/fd.h"
#include "base/gpu_gauges.h"
#include "base/usage.h"
#include "process/gpu_record.h"
#include "process/process_runner.h"
#include "process/side_program.h"

namespace sparkles {

// The absolute path of nvidia-smi: in the absolute directories of `path` (as of the variable PATH),
// in /usr/bin, or in /usr/local/nvidia/bin, where Container-Optimized OS installs it. "" if there
// is none.
std::string FindNvidiaSmi(absl::string_view path);

// `nvidia_smi` as a command without output_fd, which prints kGpuFields of all GPUs every second.
// `library_path` is the worker's LD_LIBRARY_PATH. No other variable of the worker is passed on.
Command NvidiaSmiCommand(const std::string& nvidia_smi, absl::string_view library_path);

// Not thread-safe, but the calls may come from several threads, one after another.
class GpuSampler {
 public:
  // The number of calls of Sample before nvidia-smi starts. At the intervals of
  // process/sample_pace.h, the next call is 0.4 s after the first one. A shorter command would end
  // before the first line of nvidia-smi, so nothing is started for it.
  static constexpr int kSamplesBeforeStart = 4;

  // Borrows all but `command`. The caller uses `program` for nothing else.
  GpuSampler(SideProgram& program, Command command, GpuGauges& gauges)
      : program_(program), command_(std::move(command)), gauges_(gauges) {}

  // Call this regularly while a command runs. Starts nvidia-smi if it is due, reads what it has
  // printed since the last call, at most 64 KiB, and sets the gauges. Clears the gauges if
  // nvidia-smi has ended or has been silent for 10 calls.
  void Sample();

  // Call this when the command has ended. Reads the last samples, ends nvidia-smi, clears the
  // gauges and returns the samples since the last End.
  std::vector<GpuUsage> End();

 private:
  void StartProgram();
  void ReadOutput();
  void ClearGauges();

  SideProgram& program_;
  Command command_;
  GpuGauges& gauges_;
  int calls_ = 0;         // of Sample
  int silent_calls_ = 0;  // since the last output
  bool started_ = false;
  UniqueFd output_;                  // invalid before the start and after the end of nvidia-smi
  std::optional<GpuRecord> record_;  // from the start of nvidia-smi
};

}  // namespace sparkles
