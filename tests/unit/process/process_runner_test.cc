#include "process/process_runner.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace sparkles {
namespace {

Command Fine() {
  Command command;
  command.argv = {"/bin/sh", "-c", "true"};
  command.environment = {"A=1"};
  command.folder = "/";
  command.output_fd = STDOUT_FILENO;
  return command;
}

void ExpectRefused(const Command& command, const std::string& part) {
  const absl::Status status = CheckCommand(command);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find(part), absl::string_view::npos) << status;
}

TEST(CheckCommand, ValidCommandPasses) { EXPECT_TRUE(CheckCommand(Fine()).ok()); }

TEST(CheckCommand, EmptyArgvIsRefused) {
  Command command = Fine();
  command.argv.clear();
  ExpectRefused(command, "argv");
}

// The kernel would cut the text at the NUL and run another command.
TEST(CheckCommand, NulIsRefusedAndLocated) {
  const std::string text("rm -rf x\0y", 10);
  Command command = Fine();
  command.argv[2] = text;
  ExpectRefused(command, "argv[2]");
  command = Fine();
  command.environment[0] = text;
  ExpectRefused(command, "environment[0]");
  command = Fine();
  command.folder = text;
  ExpectRefused(command, "folder");
}

TEST(CheckCommand, OverlongEnvironmentIsRefused) {
  Command command = Fine();
  command.environment.assign(100, "A=" + std::string(100'000, 'x'));
  ExpectRefused(command, "environment");
}

TEST(CheckCommand, ClosedOutputIsRefused) {
  Command command = Fine();
  command.output_fd = -1;
  ExpectRefused(command, "output_fd");
}

}  // namespace
}  // namespace sparkles
