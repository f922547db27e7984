// What the tests of the real runner share: a folder, an output file, and waits with a deadline.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <memory>
#include <string>

#include "base/fd.h"
#include "process/posix_process_runner.h"
#include "tests/support/temp_folder.h"

namespace sparkles {

// True if a process (not a zombie) has this id.
bool Runs(pid_t pid);

class PosixProcessRunnerTest : public testing::Test {
 protected:
  void SetUp() override;
  void Start(const std::string& proc_root = "/proc");

  // `sh -c script` in the test's folder.
  Command Shell(const std::string& script) const;
  // Runs it; the test fails if it could not be run.
  CommandExit Run(const std::string& script);
  std::string Output() const;
  // The id that the command has written to the file `name`, once it is there; 0 if it never comes.
  pid_t PidIn(const std::string& name) const;

  TempFolder folder_;
  UniqueFd output_;
  CancelToken cancel_;
  std::unique_ptr<PosixProcessRunner> runner_;
};

}  // namespace sparkles
