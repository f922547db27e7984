#include "tests/support/executor_fixture.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/file.h"

namespace sparkles {

ExecutorFixture::ExecutorFixture() {
  memory_.Put(kInput, "input\n");
  task_.id = "job.1";
  task_.job_id = "job";
  task_.index = "1";
  options_.tasks_dir = directory_ / "tasks";
  options_.transfers = 1;
  options_.grace = absl::Seconds(7);
  spec_ = {{"command", "command"},
           {"pre-download-script", "pre-download"},
           {"post-download-script", "post-download"},
           {"pre-exec-script", "pre-exec"},
           {"post-exec-script", "post-exec"},
           {"parameters", {{"index", "1"}}},
           {"downloads", {{{"src_url", kInput}, {"dst", "input.txt"}}}},
           {"uploads", {{"include_patterns", {"**"}}, {"dst_url", "gs://out/1"}}},
           {"stdout_url", kStdout},
           {"command_result_url", kResult}};
  scripts_["command"] = [](const Command& command, const Activity&) {
    EXPECT_TRUE(WriteAll(command.output_fd, "hello\n", "stdout").ok());
    EXPECT_TRUE(WriteFileAtomically(command.directory + "/out.txt", "output\n", false).ok());
    return ExitedWith(0);
  };
}

Outcome ExecutorFixture::Run() {
  if (task_.args.empty()) task_.args = DumpJson(spec_);
  // More scripts than any task has.
  for (int i = 0; i < 6; ++i) {
    runner_.Next(
        [this](const Command& command, const Activity& activity) -> absl::StatusOr<CommandExit> {
          const std::string& script = command.argv.back();
          const auto action = scripts_.find(script);
          absl::StatusOr<CommandExit> exit = ExitedWith(0);
          if (action != scripts_.end()) exit = action->second(command, activity);
          RecordStep("run " + script);
          return exit;
        });
  }
  ContentCache cache(directory_ / "cache", store_, clock_);
  Executor executor{.options = options_,
                    .clock = clock_,
                    .runner = runner_,
                    .store = store_,
                    .cache = cache,
                    .current = current_,
                    .log = recorded_.log()};
  return executor.Execute(task_, attempt_, Activity(cancel_, &heartbeat_, on_activity_),
                          [this](Freshness freshness, const CancelToken& cancel) {
                            return confirm_claim_(freshness, cancel);
                          });
}

void ExecutorFixture::RecordStep(const std::string& step) {
  {
    MutexLock lock(mutex_);  // the live log has a thread of its own
    steps_.push_back(step);
  }
  if (after_step_) after_step_(step);
}

Command ExecutorFixture::CommandOf(const std::string& script) const {
  for (const Command& command : runner_.commands()) {
    if (command.argv.back() == script) return command;
  }
  ADD_FAILURE() << script << " was not run";
  return {};
}

Json ExecutorFixture::Result() const {
  const auto text = memory_.Get(kResult);
  return text.has_value() ? ParseJson(*text).value() : Json();
}

std::vector<std::string> ExecutorFixture::TaskDirectories() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(options_.tasks_dir)) {
    names.push_back(entry.path());
  }
  return names;
}

}  // namespace sparkles
