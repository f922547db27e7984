// Measures the start of the shipped program: time and memory of `version`, beside an empty program.
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/text.h"
#include "bench/support/bench.h"

namespace sparkles {
namespace {

constexpr int kStarts = 200;
constexpr double kMaxStart = 0.003;        // seconds
constexpr int64_t kMaxMemory = 6'000'000;  // bytes

// Starts a program without output. Uses vfork, whose cost does not depend on our own size.
Ended Start(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  Ended ended;
  ended.start = Seconds();
  pid_t pid = 0;
  int status = -1;
  rusage usage{};
  if (posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), nullptr) != 0 ||
      wait4(pid, &status, 0, &usage) != pid || status != 0) {
    GiveUp(absl::StrCat(arguments[0], ": ended with wait status ", status));
  }
  ended.seconds = Seconds() - ended.start;
  // Never less than our own memory, because the kernel passes that on.
  ended.memory = int64_t{usage.ru_maxrss} * 1024;
  posix_spawn_file_actions_destroy(&actions);
  return ended;
}

int Run(int argc, char** argv) {
  const Settings settings = ParseSettings(argc, argv);
  PrintLoad();
  std::vector<double> ours;
  std::vector<double> bare;
  int64_t memory = 0;
  for (int i = 0; i < kStarts; ++i) {
    const Ended ended = Start({settings.binary, "version"});
    ours.push_back(ended.seconds);
    memory = std::max(memory, ended.memory);
    bare.push_back(Start({"/bin/true"}).seconds);
  }
  PrintLine("`version`, from start to end", Milliseconds(Median(ours)),
            absl::StrCat("/bin/true: ", Milliseconds(Median(bare))),
            absl::StrFormat("< %.0f ms", kMaxStart * 1000), Median(ours) < kMaxStart);
  PrintLine("peak memory of `version`, at most", HumanBytes(static_cast<double>(memory)), "",
            "< " + HumanBytes(static_cast<double>(kMaxMemory)), memory < kMaxMemory);
  return 0;
}

}  // namespace
}  // namespace sparkles

int main(int argc, char** argv) { return sparkles::Run(argc, argv); }
