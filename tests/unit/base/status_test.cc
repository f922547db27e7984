#include "base/status.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cerrno>
#include <memory>
#include <string>

namespace sparkles {
namespace {

TEST(ErrnoErrorTest, NamesObjectAndReason) {
  const absl::Status status = ErrnoError(ENOENT, "/no/such");
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(status.message(), "/no/such: No such file or directory");
}

TEST(ErrnoErrorTest, ResourceErrorsAreMachineFaults) {  // D31
  for (const int error :
       {ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, EAGAIN, EIO, EROFS, EUCLEAN, EREMOTEIO}) {
    EXPECT_TRUE(IsMachineFault(ErrnoError(error, "x"))) << error;
  }
}

TEST(ErrnoErrorTest, AnnotatedErrorKeepsItsErrno) {
  for (const int error : {ENOSPC, EDQUOT, ENOENT, EFBIG, ESTALE}) {
    EXPECT_EQ(ErrnoOf(MachineFault(Annotate(ErrnoError(error, "x"), "y"))), error);
  }
}

TEST(ErrnoErrorTest, OtherStatusesHaveNoErrno) {
  EXPECT_EQ(ErrnoOf(absl::OkStatus()), 0);
  EXPECT_EQ(ErrnoOf(ErrnoError(0, "x")), 0);
  EXPECT_EQ(ErrnoOf(absl::ResourceExhaustedError("No space left on device")), 0);
}

TEST(IsDiskFullTest, LackOfDescriptorsIsNoFullDisk) {
  EXPECT_TRUE(IsDiskFull(ErrnoError(ENOSPC, "x")));
  EXPECT_TRUE(IsDiskFull(MachineFault(Annotate(ErrnoError(EDQUOT, "x"), "y"))));
  const absl::Status no_descriptors = ErrnoError(EMFILE, "x");
  EXPECT_TRUE(absl::IsResourceExhausted(no_descriptors));
  EXPECT_FALSE(IsDiskFull(no_descriptors));
}

TEST(UnmarkedTest, KeepsCodeAndMessageOnly) {
  const absl::Status status = WithoutMarks(ErrnoError(ENOSPC, "disk"));
  EXPECT_EQ(status, absl::ResourceExhaustedError("disk: No space left on device"));
}

TEST(ErrnoErrorTest, DeadMountIsMachineFault) {
  for (const int error : {ENOTCONN, ETIMEDOUT, EHOSTDOWN, EHOSTUNREACH, ENODEV, ENXIO, ESHUTDOWN,
                          ECONNABORTED, ENETDOWN, EKEYEXPIRED, ESTALE}) {
    const absl::Status status = ErrnoError(error, "x");
    EXPECT_TRUE(IsMachineFault(status)) << error;
    EXPECT_TRUE(absl::IsInternal(status)) << status << ": not like an absent file";
  }
}

TEST(ErrnoErrorTest, FileSizeLimitIsNamed) {
  EXPECT_FALSE(IsMachineFault(ErrnoError(EFBIG, "x"))) << "the limit of a file system";
  rlimit usual;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &usual), 0);
  const rlimit low{4096, usual.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &low), 0);
  const absl::Status status = ErrnoError(EFBIG, "x");
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &usual), 0);
  EXPECT_TRUE(IsMachineFault(status));
  EXPECT_EQ(status.message(),
            "x: File too large: the worker's ulimit -f allows 4096 bytes; start the worker with a "
            "higher limit");
}

TEST(ErrnoErrorTest, TaskErrorsAreNotMachineFaults) {
  for (const int error : {ENOENT, EACCES, EPERM, EEXIST, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG}) {
    EXPECT_FALSE(IsMachineFault(ErrnoError(error, "x"))) << error;
  }
}

TEST(AnnotateTest, KeepsCodeAndMachineFault) {
  const absl::Status plain = Annotate(absl::DataLossError("wrong hash"), "a.txt");
  EXPECT_TRUE(absl::IsDataLoss(plain));
  EXPECT_EQ(plain.message(), "a.txt: wrong hash");
  EXPECT_FALSE(IsMachineFault(plain));
  EXPECT_TRUE(IsMachineFault(Annotate(ErrnoError(ENOSPC, "disk"), "a.txt")));
}

TEST(AnnotateTest, SuccessStaysSuccess) { EXPECT_TRUE(Annotate(absl::OkStatus(), "a.txt").ok()); }

TEST(MachineFaultTest, MarksErrorsOnly) {
  EXPECT_TRUE(IsMachineFault(MachineFault(absl::NotFoundError("/bin/sh"))));
  EXPECT_FALSE(IsMachineFault(MachineFault(absl::OkStatus())));
  EXPECT_FALSE(IsMachineFault(absl::OkStatus()));
}

absl::StatusOr<std::unique_ptr<int>> Parsed(bool ok) {
  if (!ok) return absl::InvalidArgumentError("no number");
  return std::make_unique<int>(7);
}

absl::StatusOr<int> Doubled(bool first_ok, bool second_ok) {
  ASSIGN_OR_RETURN(const std::unique_ptr<int> number, Parsed(first_ok));
  RETURN_IF_ERROR(Parsed(second_ok).status());
  return *number * 2;
}

TEST(StatusMacrosTest, MacrosReturnErrorsAndPassValues) {
  EXPECT_EQ(Doubled(true, true).value(), 14);
  EXPECT_EQ(Doubled(false, true).status().message(), "no number");
  EXPECT_TRUE(absl::IsInvalidArgument(Doubled(true, false).status()));
}

}  // namespace
}  // namespace sparkles
