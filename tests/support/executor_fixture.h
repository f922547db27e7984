// An executor with fakes for everything around it, and a task that uses every step.
// Nothing is forked, and only the task's directory and the cache are on disk.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/mutex.h"
#include "executor/executor.h"
#include "tests/support/failing_store.h"
#include "tests/support/fake_process_runner.h"
#include "tests/support/mem_store.h"
#include "tests/support/recorded_log.h"
#include "tests/support/watched_store.h"

namespace sparkles {

class ExecutorFixture : public testing::Test {
 protected:
  static constexpr char kInput[] = "gs://in/input.txt";
  static constexpr char kOutput[] = "gs://out/1/out.txt";
  static constexpr char kStdout[] = "gs://out/1/stdout.txt";
  static constexpr char kResult[] = "gs://out/1/result.json";

  ExecutorFixture();

  // Runs `task_` with `spec_`, unless the task has args already.
  Outcome Run();

  // The action of a script or the command. Without an action it exits with 0. The initial action of
  // "command" prints "hello\n" and writes "output\n" to out.txt.
  std::map<std::string, FakeProcessRunner::Action> scripts_;
  // Called after each step with the name of the step in `steps_`.
  std::function<void(const std::string& step)> after_step_;
  // "read URL", "run SCRIPT", "download URL", "upload URL", "flush", in the order in which they
  // end.
  std::vector<std::string> steps_;

  // The command that ran `script`. Fails the test if there was none.
  Command CommandOf(const std::string& script) const;
  // The content of result.json; null if it does not exist.
  Json Result() const;
  // The uploaded stdout; "(none)" if nothing was uploaded.
  std::string Stdout() const { return memory_.Get(kStdout).value_or("(none)"); }
  // The names of the remaining task directories.
  std::vector<std::string> TaskDirectories() const;

  TempDirectory directory_;
  Json spec_;
  Task task_;
  int attempt_ = 2;
  CancelToken cancel_;
  // The answer when a run checks its claim.
  std::function<absl::StatusOr<ClaimState>(Freshness, const CancelToken&)> confirm_claim_ =
      [](Freshness, const CancelToken&) { return ClaimState::kHeld; };
  FakeClock clock_;
  RecordedLog recorded_;
  MemStore memory_;
  FailingStore failing_{memory_};
  WatchedStore store_{failing_, [this](const std::string& call) { RecordStep(call); }};
  FakeProcessRunner runner_;
  ExecutorOptions options_;
  Heartbeat heartbeat_;
  CurrentTask current_;
  Activity::Listener on_activity_;

 private:
  void RecordStep(const std::string& step);

  Mutex mutex_;
};

}  // namespace sparkles
