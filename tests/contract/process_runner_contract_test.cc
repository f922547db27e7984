#include "tests/contract/process_runner_contract.h"

#include "base/file.h"
#include "process/posix_process_runner.h"
#include "tests/support/fake_process_runner.h"

namespace sparkles {
namespace {

class Real : public RunnerUnderTest {
 public:
  explicit Real(std::unique_ptr<PosixProcessRunner> runner) : runner_(std::move(runner)) {}
  ProcessRunner& runner() override { return *runner_; }
  void NextPrints(absl::string_view, int) override {}
  void NextDiesOf(int) override {}
  void NextWaitsForCancel() override {}

 private:
  std::unique_ptr<PosixProcessRunner> runner_;
};

class Fake : public RunnerUnderTest {
 public:
  ProcessRunner& runner() override { return runner_; }
  void NextPrints(absl::string_view output, int exit_code) override {
    const std::string text(output);
    runner_.Next(
        [text, exit_code](const Command& command, const Activity&) -> absl::StatusOr<CommandExit> {
          const absl::Status written = WriteAll(command.output_fd, text, "output");
          if (!written.ok()) return written;
          return ExitedWith(exit_code);
        });
  }
  void NextDiesOf(int signal) override { runner_.NextReturns(DiedOf(signal)); }
  void NextWaitsForCancel() override { runner_.NextWaitsForCancel(); }

 private:
  FakeProcessRunner runner_;
};

std::unique_ptr<RunnerUnderTest> MakeReal() {
  absl::StatusOr<std::unique_ptr<PosixProcessRunner>> runner = PosixProcessRunner::Start();
  if (!runner.ok()) return nullptr;
  return std::make_unique<Real>(*std::move(runner));
}

INSTANTIATE_TEST_SUITE_P(Posix, ProcessRunnerContract, testing::Values(MakeRunner(MakeReal)));
INSTANTIATE_TEST_SUITE_P(Fake, ProcessRunnerContract,
                         testing::Values(MakeRunner([] { return std::make_unique<Fake>(); })));

}  // namespace
}  // namespace sparkles
