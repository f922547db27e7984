// An executor among fakes, and a task that uses every step. Nothing is forked and nothing leaves
// memory but the task's folder and the cache.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
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

  // Runs `task_` with `spec_` (unless the task has args already).
  Outcome Run();

  // What a script or the command does. One without an action exits with 0; "command" is born with
  // one that prints "hello\n" and writes "output\n" to out.txt.
  std::map<std::string, FakeProcessRunner::Action> scripts_;
  // Called after each step with its name, as it stands in `steps_`.
  std::function<void(const std::string& step)> after_step_;
  // "read URL", "run SCRIPT", "download URL", "upload URL", "flush", in the order of their ends.
  std::vector<std::string> steps_;

  // The command of the run whose script is `script`; fails the test if there was none.
  Command CommandOf(const std::string& script) const;
  // result.json; null if there is none.
  Json Result() const;
  // What was uploaded as stdout; "(none)" if nothing was.
  std::string Stdout() const { return memory_.Get(kStdout).value_or("(none)"); }
  // Names of the task folders that are left.
  std::vector<std::string> TaskFolders() const;

  TempFolder folder_;
  Json spec_;
  Task task_;
  CancelToken cancel_;
  // What a run is told when it asks for its claim.
  std::function<absl::StatusOr<ClaimState>(Freshness, const CancelToken&)> confirm_claim_ =
      [](Freshness, const CancelToken&) { return ClaimState::kOurs; };
  FakeClock clock_;
  RecordedLog recorded_;
  MemStore memory_;
  FailingStore failing_{memory_};
  WatchedStore store_{failing_, [this](const std::string& call) { Took(call); }};
  FakeProcessRunner runner_;
  ExecutorOptions options_;
  Activity::Listener on_activity_;

 private:
  void Took(const std::string& step);
};

}  // namespace sparkles
