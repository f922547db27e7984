// The fixture of the tests of PosixProcessRunner: a directory, an output file and timed waits.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <memory>
#include <string>

#include "base/fd.h"
#include "process/posix_process_runner.h"
#include "tests/support/temp_directory.h"

namespace sparkles {

// Returns true if a process that is not a zombie has this id.
bool Runs(pid_t pid);

class PosixProcessRunnerTest : public testing::Test {
 protected:
  void SetUp() override;
  void Start(const std::string& proc_root = "/proc");

  // `sh -c script` in the test's directory.
  Command Shell(const std::string& script) const;
  // Runs `script`. The test fails if the command cannot start.
  CommandExit Run(const std::string& script);
  std::string Output() const;
  // Waits for the id that the command writes to the file `name`. Returns 0 on timeout.
  pid_t PidIn(const std::string& name) const;

  TempDirectory directory_;
  UniqueFd output_;
  CancelToken cancel_;
  std::unique_ptr<PosixProcessRunner> runner_;
};

}  // namespace sparkles
