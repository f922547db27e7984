#include "tests/sim/commands.h"

#include <signal.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "tests/support/fake_process_runner.h"

namespace sparkles {
namespace {

std::string Url(const std::string& path) {
  return absl::StrCat("gs://", Judge::kBucket, "/", path);
}

std::string HashOf(absl::string_view text) {
  Hasher hasher(HashKind::kSha256);
  hasher.Update(text);
  return hasher.HexDigest();
}

std::string VariableOf(const Command& command, absl::string_view name) {
  for (absl::string_view variable : command.environment) {
    if (absl::ConsumePrefix(&variable, absl::StrCat(name, "="))) return std::string(variable);
  }
  return "";
}

}  // namespace

std::string InputText() { return "what all tasks read\n"; }

std::string InputKey() { return absl::StrCat(Judge::kBucket, "/cas%2F", HashOf(InputText())); }

Json SpecOf(const std::string& task_id) {
  const std::string input = Url(absl::StrCat("cas/", HashOf(InputText())));
  const std::string out = Url(absl::StrCat("out/", task_id));
  return {
      {"command", "work"},
      {"downloads",
       {{{"src_url", input}, {"dst", "cached.txt"}, {"is_cas_key", true}},
        {{"src_url", input}, {"dst", "linked.txt"}, {"is_cas_key", true}, {"symlink_safe", true}},
        {{"src_url", input}, {"dst", "plain.txt"}}}},
      {"uploads", {{"include_patterns", {"**"}}, {"dst_url", out}}},
      {"stdout_url", absl::StrCat(out, "/stdout.txt")},
      {"command_result_url", absl::StrCat(out, "/result.json")}};
}

absl::StatusOr<CommandExit> SimProcessRunner::Run(const Command& command,
                                                  const Activity& activity) {
  const CancelToken& cancel = activity.cancel();
  world_.scheduler.AwaitJoiner();  // the thread that saves checkpoints
  const std::string task = VariableOf(command, "SPARKLES_TASK_ID");
  if (cancel.cancelled()) {
    world_.judge.Break(absl::StrCat(ToString(machine_.author()), " runs the command of ", task,
                                    ", which is to stop: ", cancel.reason()));
  }
  if (!world_.Step(machine_, "runs a command")) return absl::CancelledError("dead");
  if (world_.IsUnfit(machine_)) {
    world_.judge.MachineFaultInjected(machine_.author());
    return MachineFault(absl::ResourceExhaustedError(kNoProcess));
  }
  world_.judge.CommandBegins(machine_.author(), task, VariableOf(command, "SPARKLES_ATTEMPT"));
  for (const char* name : {"cached.txt", "linked.txt", "plain.txt"}) {
    const auto input = ReadFile(absl::StrCat(command.directory, "/", name), 1000);
    if (input.ok() && *input == InputText()) continue;
    world_.judge.Break(absl::StrCat(task, ": its input ", name, " is not whole"));
  }
  const absl::Duration takes = world_.scheduler.RandomDuration(
      world_.scheduler.Chance(Progress::UsesCheckpoints(task) ? 0.6 : 0.3) ? absl::Minutes(20)
                                                                           : absl::Seconds(20));
  const bool undisturbed = Progress::UsesCheckpoints(task) ? Count(command, task, takes, cancel)
                                                           : world_.scheduler.Sleep(takes, &cancel);
  // Checked before the grace period, which the command may use fully.
  world_.CheckInTime(machine_, world_.judge.VoidSince(machine_.author(), task),
                     "the end of a command whose claim was void");
  if (!undisturbed) {
    const CancelToken never;
    const absl::Duration grace = cancel.hurried() ? absl::ZeroDuration() : command.grace;
    world_.scheduler.Sleep(world_.scheduler.RandomDuration(grace), &never);
    if (!world_.Step(machine_, "its command was ended")) return absl::CancelledError("dead");
    return DiedOf(SIGTERM);
  }
  const int code = world_.scheduler.Chance(0.3) ? 3 : 0;
  Judge::Run run = Work(command, task);
  run.exit_code = absl::StrCat(code);
  world_.judge.CommandEnded(machine_.author(), task, std::move(run));
  if (!world_.Step(machine_, "its command has ended")) return absl::CancelledError("dead");
  return ExitedWith(code);
}

bool SimProcessRunner::Count(const Command& command, const std::string& task, absl::Duration takes,
                             const CancelToken& cancel) {
  constexpr absl::Duration kStep = absl::Seconds(10);
  int64_t done = world_.progress.Begin(machine_, task, command);
  for (absl::Duration rest = takes; rest > absl::ZeroDuration(); rest -= kStep) {
    if (!world_.scheduler.Sleep(std::min(rest, kStep), &cancel)) return false;
    done += absl::ToInt64Seconds(kStep);
    world_.progress.Save(machine_, task, command, done);
  }
  return true;
}

Judge::Run SimProcessRunner::Work(const Command& command, const std::string& task) {
  const std::string line =
      absl::StrCat(task, ": run ", ++runs_, " of ", ToString(machine_.author()), "\n");
  Judge::Run run;
  run.printed = line;
  const absl::Status printed = WriteAll(command.output_fd, line, "stdout");
  if (!printed.ok()) world_.judge.Break(std::string(printed.message()));
  run.files["out.txt"] = line;
  run.files["sub/more.txt"] = absl::StrCat(line, std::string(world_.scheduler.Random(300), 'x'));
  (void)MakeDirectories(command.directory + "/sub");
  for (const auto& [name, content] : run.files) {
    const absl::Status written =
        WriteFileAtomically(absl::StrCat(command.directory, "/", name), content, /*durable=*/false);
    if (!written.ok()) world_.judge.Break(std::string(written.message()));
  }
  return run;
}

}  // namespace sparkles
