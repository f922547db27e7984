#include "monitor/process_status.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "base/file.h"
#include "tests/support/temp_directory.h"
#include "tests/support/unprivileged.h"

namespace sparkles {
namespace {

class ProcessStatusTest : public testing::Test {
 protected:
  void Put(const std::string& path, const std::string& content) {
    ASSERT_TRUE(MakeDirectories(DirectoryOf(proc_ / path)).ok());
    ASSERT_TRUE(WriteFileAtomically(proc_ / path, content, false).ok());
  }
  ProcessStatus Status() const { return ReadProcessStatus(proc_.path()); }

  TempDirectory proc_;
  const int64_t page_ = sysconf(_SC_PAGESIZE);
};

TEST_F(ProcessStatusTest, ProcessesAndPagesAreSummed) {  // D62
  Put("1/statm", "100 20 3 4 0 5 0\n");
  Put("4194304/statm", "1000 200 30 40 0 50 0\n");
  Put("self/statm", "9 9 9 9 9 9 9\n");
  Put("meminfo", "");
  const ProcessStatus status = Status();
  EXPECT_EQ(status.process_count, 2);
  EXPECT_EQ(status.total_memory, 1100 * page_);
  EXPECT_EQ(status.total_resident, 220 * page_);
  EXPECT_EQ(status.total_shared, 33 * page_);
  EXPECT_EQ(status.total_data, 55 * page_);
}

TEST_F(ProcessStatusTest, MissingProcGivesEmptyStatus) {
  const ProcessStatus status = ReadProcessStatus(proc_ / "none");
  EXPECT_EQ(status.process_count, 0);
  EXPECT_EQ(status.mem_total, 0);
  EXPECT_EQ(status.cpu_idle, 0);
  EXPECT_EQ(status.mem_pressure_some_avg10, -1);
  EXPECT_EQ(status.mem_pressure_full_avg10, -1);
}

TEST_F(ProcessStatusTest, EndedProcessIsNotCounted) {
  Put("1/statm", "100 20 3 4 0 5 0\n");
  ASSERT_TRUE(MakeDirectories(proc_ / "2").ok());
  EXPECT_EQ(Status().process_count, 1);
}

// With hidepid=1, the files of other users are unreadable.
TEST_F(ProcessStatusTest, HiddenProcessIsCounted) {
  Put("1/statm", "100 20 3 4 0 5 0\n");
  Put("2/statm", "100 20 3 4 0 5 0\n");
  ASSERT_EQ(chmod((proc_ / "2/statm").c_str(), 0), 0);
  const Unprivileged nobody(proc_.path());
  const ProcessStatus status = Status();
  EXPECT_EQ(status.process_count, 2);
  EXPECT_EQ(status.total_memory, 100 * page_);
}

TEST_F(ProcessStatusTest, MachineValuesComeFromProc) {
  Put("stat", "cpu  10 20 30 40 50 60 70\ncpu0 1 2 3 4 5 6 7\nintr 1 2 3\n");
  Put("meminfo", "MemTotal:  1000 kB\nMemFree:   300 kB\nMemAvailable:   700 kB\nSwapFree: 5 kB\n");
  Put("pressure/memory",
      "some avg10=1.25 avg60=0.00 avg300=0.00 total=5\nfull avg10=0.50 avg60=0.00 total=3\n");
  const ProcessStatus status = Status();
  EXPECT_EQ(status.cpu_user, 10);
  EXPECT_EQ(status.cpu_system, 30);
  EXPECT_EQ(status.cpu_idle, 40);
  EXPECT_EQ(status.cpu_iowait, 50);
  EXPECT_EQ(status.mem_total, 1000 * 1024);
  EXPECT_EQ(status.mem_free, 300 * 1024);
  EXPECT_EQ(status.mem_available, 700 * 1024);
  EXPECT_EQ(status.mem_pressure_some_avg10, 125);
  EXPECT_EQ(status.mem_pressure_full_avg10, 50);
}

TEST_F(ProcessStatusTest, OldKernelLeavesFieldsEmpty) {
  Put("stat", "cpu  10 20 30 40\n");
  Put("meminfo", "MemTotal:  1000 kB\nMemFree:   300 kB\n");
  Put("pressure/memory", "some avg10=0.00 avg60=0.00 total=5\n");
  const ProcessStatus status = Status();
  EXPECT_EQ(status.cpu_idle, 40);
  EXPECT_EQ(status.cpu_iowait, 0);
  EXPECT_EQ(status.mem_available, 300 * 1024);
  EXPECT_EQ(status.mem_pressure_some_avg10, 0);
  EXPECT_EQ(status.mem_pressure_full_avg10, -1);
}

TEST_F(ProcessStatusTest, MalformedNumbersAreIgnored) {
  Put("1/statm", "99999999999999999999 -5 x 4 0 9223372036854775807\n");
  Put("2/statm", "");
  Put("stat", "cpu  -1 a 18446744073709551615 x\n");
  Put("meminfo", "MemTotal:\nMemFree: 9223372036854775807 kB\n: 5\n");
  Put("pressure/memory", "some avg10=nan\nfull avg10=-3\n");
  const ProcessStatus status = Status();
  EXPECT_EQ(status.process_count, 1);
  EXPECT_EQ(status.total_memory, 0);
  EXPECT_EQ(status.total_data, 0);
  EXPECT_EQ(status.cpu_system, 0);
  EXPECT_EQ(status.mem_free, 0);
  EXPECT_EQ(status.mem_pressure_some_avg10, -1);
  EXPECT_EQ(status.mem_pressure_full_avg10, -1);
}

TEST_F(ProcessStatusTest, RealProcGivesPlausibleValues) {
  const ProcessStatus status = ReadProcessStatus();
  EXPECT_GE(status.process_count, 1);
  EXPECT_GT(status.total_resident, 0);
  EXPECT_GT(status.mem_total, status.mem_free);
}

}  // namespace
}  // namespace sparkles
