// Tests of the command line, mostly with `fetch`, whose flags have visible effects. The end-to-end
// tests run the commands that start processes.
#include "cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "cli/version.h"
#include "tests/support/temp_directory.h"
#include "worker/exit_code.h"

namespace sparkles {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// Captures what is written to `stream` during its lifetime.
class Caught {
 public:
  explicit Caught(std::ostream& stream) : stream_(stream), old_(stream.rdbuf(text_.rdbuf())) {}
  ~Caught() { stream_.rdbuf(old_); }
  Caught(const Caught&) = delete;
  Caught& operator=(const Caught&) = delete;
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::ostream& stream_;
  std::streambuf* const old_;
};

class CommandLineTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(WriteFileAtomically(directory_ / "source", "content", false).ok());
  }

  int Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "sparklesworker");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const Caught out(std::cout);
    const Caught err(std::cerr);
    const int code = RunCommandLine(static_cast<int>(arguments.size()), argv.data());
    out_ = out.text();
    err_ = err.text();
    return code;
  }

  // A usage error goes to stderr, begins with `message`, and says where help is.
  void ExpectUsageError(const std::vector<std::string>& arguments, const std::string& message) {
    EXPECT_EQ(Run(arguments), kExitUsage);
    EXPECT_THAT(err_, StartsWith(message));
    EXPECT_THAT(err_, HasSubstr(" --help'.\n"));
    EXPECT_THAT(out_, IsEmpty());
  }

  TempDirectory directory_;
  const std::string src_ = "file://" + (directory_ / "source");
  const std::string dst_ = directory_ / "copy";
  std::string out_;
  std::string err_;
};

TEST_F(CommandLineTest, FlagsAcceptAllStyles) {
  const std::vector<std::vector<std::string>> styles = {
      {"fetch", "--src", src_, "--dst", dst_},
      {"fetch", "--src=" + src_, "--dst=" + dst_},
      {"fetch", "-src", src_, "-dst", dst_},
      {"fetch", "-src=" + src_, "-dst=" + dst_},
  };
  for (const auto& arguments : styles) {
    EXPECT_EQ(Run(arguments), kExitDone) << arguments[1] << ": " << err_;
    EXPECT_EQ(ReadFile(dst_, 100).value_or("(none)"), "content");
    std::filesystem::remove(dst_);
  }
}

TEST_F(CommandLineTest, ValueMayBeginWithDash) {
  for (const std::vector<std::string>& flag :
       {std::vector<std::string>{"--src", "-x"}, {"--src=-x"}, {"-src", "-x"}}) {
    std::vector<std::string> arguments = {"fetch", "--dst", dst_};
    arguments.insert(arguments.end(), flag.begin(), flag.end());
    EXPECT_EQ(Run(arguments), kExitFailed);
    EXPECT_THAT(err_, StartsWith("sparklesworker fetch: -x: "));
  }
}

TEST_F(CommandLineTest, ValueMayHoldEqualsSign) {
  ASSERT_TRUE(WriteFileAtomically(directory_ / "a=b", "equal", false).ok());
  EXPECT_EQ(Run({"fetch", "--src=file://" + (directory_ / "a=b"), "--dst", dst_}), kExitDone);
  EXPECT_EQ(ReadFile(dst_, 100).value(), "equal");
}

TEST_F(CommandLineTest, EmptyMd5IsNotChecked) {  // D54
  EXPECT_EQ(Run({"fetch", "--src", src_, "--dst", dst_, "--expectMD5", ""}), kExitDone);
  EXPECT_EQ(Run({"fetch", "--src", src_, "--dst", dst_, "--expectMD5="}), kExitDone);
}

TEST_F(CommandLineTest, Md5IgnoresCase) {  // D54
  const std::string md5 = HexHash(HashKind::kMd5, "content");
  ASSERT_EQ(md5, "9a0364b9e99bb480dd25e1f0284c8555");
  EXPECT_EQ(Run({"fetch", "--src", src_, "--dst", dst_, "--expectMD5", md5}), kExitDone);
  EXPECT_EQ(Run({"fetch", "--src", src_, "--dst", dst_, "--expectMD5",
                 "9A0364B9E99BB480DD25E1F0284C8555"}),
            kExitDone);
}

TEST_F(CommandLineTest, WrongMd5NamesBothChecksums) {  // D54
  const std::string wrong(32, '0');
  EXPECT_EQ(Run({"fetch", "--src", src_, "--dst", dst_, "--expectMD5", wrong}), kExitFailed);
  EXPECT_THAT(err_, HasSubstr(wrong));
  EXPECT_THAT(err_, HasSubstr(HexHash(HashKind::kMd5, "content")));
  EXPECT_FALSE(std::filesystem::exists(dst_));
}

TEST_F(CommandLineTest, InvalidMd5IsUsageError) {
  EXPECT_EQ(Run({"fetch", "--src", src_, "--dst", dst_, "--expectMD5", "123"}), kExitUsage);
  EXPECT_THAT(err_, HasSubstr("--expectMD5"));
}

TEST_F(CommandLineTest, UnknownFlagsAndCommandsAreNamed) {
  ExpectUsageError({"consume", "--nosuch", "x"}, "sparklesworker");
  EXPECT_THAT(err_, HasSubstr("--nosuch"));
  ExpectUsageError({"consume", "-nosuch=x"}, "sparklesworker");
  EXPECT_THAT(err_, HasSubstr("--nosuch"));
  ExpectUsageError({"devour"}, "sparklesworker: ");
  EXPECT_THAT(err_, HasSubstr("devour"));
  ExpectUsageError({"fetch", "--src", src_, "--dst", dst_, "more"}, "sparklesworker");
  EXPECT_THAT(err_, HasSubstr("more"));
}

TEST_F(CommandLineTest, MissingFlagsAreNamed) {
  ExpectUsageError({"fetch", "--src", src_}, "sparklesworker fetch: ");
  EXPECT_THAT(err_, HasSubstr("--dst"));
  ExpectUsageError({"fetch", "--dst", dst_, "--src="}, "sparklesworker fetch: ");
  EXPECT_THAT(err_, HasSubstr("--src"));
  ExpectUsageError({"copyexe"}, "sparklesworker copyexe: ");
  EXPECT_THAT(err_, HasSubstr("--dst"));
  ExpectUsageError({"consume", "--tasksFile", "x", "--cacheDir", "y"}, "sparklesworker consume: ");
  EXPECT_THAT(err_, HasSubstr("--tasksDir"));
  ExpectUsageError({"fetch", "--src", src_, "--dst"}, "sparklesworker fetch: ");
  EXPECT_THAT(err_, HasSubstr("--dst"));
}

TEST_F(CommandLineTest, MissingQueueFlagsAreUsageError) {
  ExpectUsageError({"consume", "--tasksDir", "x", "--cacheDir", "y"}, "sparklesworker consume: ");
  EXPECT_THAT(err_, HasSubstr("--tasksFile"));
}

TEST_F(CommandLineTest, InvalidFlagValueIsUsageError) {
  const std::vector<std::vector<std::string>> bad = {
      {"--shutdownAfter", "-1"}, {"--shutdownAfter", "soon"},
      {"--port", "65536"},       {"--timeout", "0"},
      {"--timeout", "0.004"},    {"--transfers", "0"},
      {"--grace", "-1"},         {"--logFormat", "xml"},
      {"--stopWithin", "4"},     {"--stopWithin", "86401"},
      {"--logLevel", "loud"},    {"--ftShutdownAfter", "1x"},
      {"--cacheSize", "-1"},     {"--minFreeSpace", "-5"},
      {"--taskTimeout", "-1"},   {"--noProgressTimeout", "-1"},
      {"--cacheSize", "G"},      {"--cacheSize", "99999999999999999999"}};
  for (const auto& flag : bad) {
    EXPECT_EQ(Run({"consume", "--tasksFile", "f", "--tasksDir", "x", "--cacheDir", "y", flag[0],
                   flag[1]}),
              kExitUsage)
        << flag[0] << " " << flag[1];
    EXPECT_THAT(err_, HasSubstr(flag[0]));
  }
}

TEST_F(CommandLineTest, InvalidAddressIsUsageError) {
  for (const std::string command : {"status", "logs"}) {
    for (const std::string address :
         {"host",       "host:",     ":6032",        "host:0",
          "host:65536", "host:+1",   "host:1x",      "host: 1",
          "host:-1",    "::1",       "::1:6032",     "[::1]",
          "[::1]:",     "[]:6032",   "[host]:6032",  "http://host:6032",
          "host:6032/", "h st:6032", "h\xffst:6032", "host:99999999999999999999"}) {
      ExpectUsageError({command, "--address", address, "--certFile", "c"},
                       "sparklesworker " + command + ": --address: '");
      EXPECT_THAT(err_, HasSubstr("is not HOST:PORT"));
    }
  }
}

TEST_F(CommandLineTest, AddressAcceptsNameAndIp) {
  for (const std::string address :
       {"host:1", "a-b.c_d.internal:6032", "10.0.0.1:65535", "[::1]:6032", "[fe80::1%eth0]:6032"}) {
    EXPECT_EQ(Run({"status", "--address", address, "--certFile", "c", "--secretFile", "/nowhere"}),
              kExitUsage);
    EXPECT_THAT(err_, StartsWith("sparklesworker status: /nowhere: "));
  }
}

TEST_F(CommandLineTest, InvalidUtf8TaskIsUsageError) {
  ExpectUsageError({"logs", "--address", "host:1", "--certFile", "c", "--task", "job\xff"},
                   "sparklesworker logs: --task: 'job\\xff' is not UTF-8");
}

// gRPC aborts the process on such secrets.
TEST_F(CommandLineTest, InvalidSecretIsRefusedUnquoted) {
  const std::string file = directory_ / "secret";
  for (const std::string secret :
       {"secr\xc3\xa8t", "ses\rame", "ses\name", "sesame\x7f", "\x1bsesame", " \r\n"}) {
    const std::vector<std::string> status = {"status", "--address", "host:1", "--certFile", "c"};
    ASSERT_EQ(setenv("SPARKLES_MONITOR_SECRET", secret.c_str(), 1), 0);
    EXPECT_EQ(Run(status), kExitUsage);
    EXPECT_THAT(err_, StartsWith("sparklesworker status: SPARKLES_MONITOR_SECRET: "));
    EXPECT_THAT(err_,
                AllOf(HasSubstr("secret"), Not(HasSubstr("ses")), Not(HasSubstr("secr\xc3"))));
    unsetenv("SPARKLES_MONITOR_SECRET");
    ASSERT_TRUE(WriteFileAtomically(file, secret, false).ok());
    std::vector<std::string> logs = {"logs", "--address", "host:1", "--certFile", "c"};
    logs.insert(logs.end(), {"--task", "job.1", "--secretFile", file});
    EXPECT_EQ(Run(logs), kExitUsage);
    EXPECT_THAT(err_, StartsWith("sparklesworker logs: " + file + ": "));
    EXPECT_THAT(err_, Not(HasSubstr("sesame")));
  }
}

TEST_F(CommandLineTest, MissingCommandIsUsageError) { ExpectUsageError({}, "sparklesworker: "); }

TEST_F(CommandLineTest, HelpGoesToStdout) {
  EXPECT_EQ(Run({"--help"}), kExitDone);
  EXPECT_THAT(out_, HasSubstr("Exit codes:"));
  EXPECT_THAT(err_, IsEmpty());
  EXPECT_EQ(Run({"consume", "--help"}), kExitDone);
  EXPECT_THAT(out_, HasSubstr("--tasksFile"));
  EXPECT_EQ(Run({"fetch", "-help"}), kExitDone);
  EXPECT_THAT(out_, HasSubstr("--expectMD5"));
}

TEST_F(CommandLineTest, ManualAndCompletionGoToStdout) {
  EXPECT_EQ(Run({"man"}), kExitDone);
  EXPECT_THAT(out_, HasSubstr("\\fB\\-\\-tasksFile\\fR \\fIFILE\\fR\n"));
  EXPECT_EQ(Run({"completion"}), kExitDone);
  EXPECT_THAT(out_, HasSubstr("complete -F _sparklesworker sparklesworker\n"));
  EXPECT_THAT(err_, IsEmpty());
}

TEST_F(CommandLineTest, EmptyNumberIsUsageError) {
  for (const std::string flag : {"--port=", "--grace=", "--cacheSize=", "--timeout="}) {
    EXPECT_EQ(Run({"consume", "--tasksFile", "f", "--tasksDir", "x", "--cacheDir", "y", flag}),
              kExitUsage);
    EXPECT_THAT(err_, HasSubstr(flag.substr(0, flag.size() - 1)));
  }
}

TEST_F(CommandLineTest, VersionIsCommandAndFlag) {
  EXPECT_EQ(Run({"version"}), kExitDone);
  EXPECT_EQ(out_, VersionLine() + "\n");
  EXPECT_EQ(Run({"--version"}), kExitDone);
  EXPECT_EQ(out_, VersionLine() + "\n");
}

}  // namespace
}  // namespace sparkles
