// The samples themselves are tested in tests/contract/gpu_sampler_test.cc.
#include "process/gpu_sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;

class FindNvidiaSmiTest : public testing::Test {
 protected:
  void Install(const std::string& place, mode_t mode) {
    ASSERT_TRUE(MakeDirectories(directory_ / place).ok());
    const std::string program = absl::StrCat(directory_ / place, "/nvidia-smi");
    ASSERT_TRUE(WriteFileAtomically(program, "#!/bin/sh\n", false).ok());
    ASSERT_EQ(chmod(program.c_str(), mode), 0);
  }
  TempDirectory directory_;
};

TEST_F(FindNvidiaSmiTest, FirstProgramOnPathIsFound) {
  Install("plain", 0644);
  Install("first", 0755);
  Install("second", 0755);
  ASSERT_TRUE(MakeDirectories(directory_ / "odd/nvidia-smi").ok());
  const std::string path = absl::StrCat(directory_ / "none", ":", directory_ / "odd", ":",
                                        directory_ / "first", ":", directory_ / "second");
  EXPECT_EQ(FindNvidiaSmi(path), directory_ / "first/nvidia-smi");
}

TEST_F(FindNvidiaSmiTest, RelativePlacesAreIgnored) {
  for (const char* path : {"", ":", ".", "bin:.", "::"}) {
    EXPECT_THAT(FindNvidiaSmi(path),
                AnyOf("", "/usr/bin/nvidia-smi", "/usr/local/nvidia/bin/nvidia-smi"))
        << path;
  }
}

TEST(NvidiaSmiCommand, OnlyLibraryPathOfWorkerIsPassed) {
  const Command command = NvidiaSmiCommand("/opt/bin/nvidia-smi", "/opt/lib");
  EXPECT_THAT(command.argv, Contains("/opt/bin/nvidia-smi"));
  EXPECT_THAT(command.environment, Contains("LD_LIBRARY_PATH=/opt/lib:/usr/local/nvidia/lib64"));
  EXPECT_EQ(command.environment.size(), 3);
}

// An empty part would be the current directory.
TEST(NvidiaSmiCommand, LibraryPathHasNoEmptyPart) {
  EXPECT_THAT(NvidiaSmiCommand("/opt/bin/nvidia-smi", "").environment,
              Contains("LD_LIBRARY_PATH=/usr/local/nvidia/lib64"));
}

}  // namespace
}  // namespace sparkles
