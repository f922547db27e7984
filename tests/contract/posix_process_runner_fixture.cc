#include "tests/contract/posix_process_runner_fixture.h"

#include <fcntl.h>
#include <poll.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "process/monotonic.h"
#include "tests/support/eventually.h"

namespace sparkles {

bool Runs(pid_t pid) {
  const std::string stat = ReadFile(absl::StrCat("/proc/", pid, "/stat"), 4096).value_or("");
  const size_t name_end = stat.rfind(')');  // "PID (NAME) STATE ..."
  return name_end != std::string::npos && stat.substr(name_end, 3) != ") Z";
}

void PosixProcessRunnerTest::SetUp() {
  absl::StatusOr<UniqueFd> file = OpenFile(directory_ / "output", O_WRONLY | O_CREAT | O_APPEND);
  ASSERT_TRUE(file.ok()) << file.status();
  output_ = *std::move(file);
}

void PosixProcessRunnerTest::Start(const std::string& proc_root) {
  runner_.reset();
  absl::StatusOr<std::unique_ptr<PosixProcessRunner>> runner = PosixProcessRunner::Start(proc_root);
  ASSERT_TRUE(runner.ok()) << runner.status();
  runner_ = *std::move(runner);
}

Command PosixProcessRunnerTest::Shell(const std::string& script) const {
  Command command;
  command.argv = {"/bin/sh", "-c", script};
  command.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  command.directory = directory_.path();
  command.output_fd = output_.get();
  return command;
}

CommandExit PosixProcessRunnerTest::Run(const std::string& script) {
  if (runner_ == nullptr) Start();
  absl::StatusOr<CommandExit> exit = runner_->Run(Shell(script), Activity(cancel_));
  EXPECT_TRUE(exit.ok()) << script << ": " << exit.status();
  return exit.value_or(CommandExit());
}

std::string PosixProcessRunnerTest::Output() const {
  return ReadFile(directory_ / "output", 1 << 20).value_or("(no output)");
}

pid_t PosixProcessRunnerTest::PidIn(const std::string& name) const {
  pid_t pid = 0;
  Eventually([&] {
    const std::string text = ReadFile(directory_ / name, 100).value_or("");
    return !text.empty() && text.back() == '\n' && absl::SimpleAtoi(text, &pid);
  });
  return pid;
}

}  // namespace sparkles
