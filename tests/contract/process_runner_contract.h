// The tests that every ProcessRunner must pass. They run on the real runner and on the fake, so
// that other tests may rely on the fake.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "base/fd.h"
#include "process/process_runner.h"
#include "tests/support/temp_directory.h"

namespace sparkles {

// A runner, with methods that tell a fake runner what the next command does.
class RunnerUnderTest {
 public:
  virtual ~RunnerUnderTest() = default;
  virtual ProcessRunner& runner() = 0;
  // Sets what the next command does in a fake runner. The real runner ignores these calls.
  virtual void NextPrints(absl::string_view output, int exit_code) = 0;
  virtual void NextDiesOf(int signal) = 0;
  virtual void NextWaitsForCancel() = 0;
};

using MakeRunner = std::function<std::unique_ptr<RunnerUnderTest>()>;

class ProcessRunnerContract : public testing::TestWithParam<MakeRunner> {
 protected:
  void SetUp() override;
  // `sh -c script` in the test's directory, with its output in Output().
  Command Shell(const std::string& script) const;
  std::string Output() const;

  TempDirectory directory_;
  UniqueFd output_;
  CancelToken cancel_;
  std::unique_ptr<RunnerUnderTest> under_test_;
};

}  // namespace sparkles
