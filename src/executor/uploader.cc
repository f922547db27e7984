#include "executor/uploader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/directory.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mounts.h"
#include "base/parallel.h"
#include "base/status.h"
#include "base/text.h"

namespace sparkles {
namespace {

bool CanBeAnObjectName(const std::string& path) {
  return IsUtf8(path) && path.find_first_of("\r\n") == std::string::npos;
}

absl::Status BadNames(const std::vector<std::string>& paths) {
  std::string first;
  size_t count = 0;
  for (const std::string& path : paths) {
    if (CanBeAnObjectName(path)) continue;
    if (count++ == 0) first = PrintableText(path);
  }
  if (count == 0) return absl::OkStatus();
  const std::string others = count > 1 ? absl::StrCat(" (and ", count - 1, " more)") : "";
  return absl::InvalidArgumentError(
      absl::StrCat("output ", first, others,
                   ": the name is not valid UTF-8 or holds a line end; no store can keep it"));
}

// The reason why the target of a link cannot be an output; empty if it can. A machine fault if its
// mount is dead.
absl::StatusOr<std::string> ProblemOfTarget(int fd, const std::string& path) {
  if (IsOnPseudoFileSystem(fd)) return "leads to a pseudo file system (/proc, /sys ...)";
  char byte;
  if (pread(fd, &byte, 1, 0) >= 0) return "";
  const int error = errno;
  const absl::Status failed = ErrnoError(error, absl::StrCat("output: ", path));
  if (IsMachineFault(failed)) return failed;
  return std::string(absl::ErrnoToStatus(error, "read").message());
}

// The upload ends after this number of failures, so that it does not try ten thousand files if no
// file may be written.
constexpr int kMaxFailures = 10;

struct Delivery {
  std::optional<DeliveredFile> delivered;
  std::string skipped;  // the reason
  absl::Status failed;
};

// `stopped`: the error that ended all transfers, or OK.
absl::Status FirstFailure(const std::vector<Delivery>& deliveries, absl::Status stopped) {
  if (IsMachineFault(stopped) || absl::IsCancelled(stopped)) return stopped;
  absl::Status first;
  size_t count = 0;
  for (const Delivery& one : deliveries) {
    if (one.failed.ok()) continue;
    if (count++ == 0) first = one.failed;
  }
  if (count < 2) return first;
  return WithMessage(first, absl::StrCat(first.message(), " (and ", count - 1, " more",
                                         stopped.ok() ? ")" : "; the rest was not tried)"));
}

}  // namespace

absl::Status Uploader::Upload(const std::string& work_directory,
                              const std::vector<std::string>& paths,
                              const std::string& directory_url, const UploadOptions& options,
                              const Activity& activity, TaskResult& result) {
  auto directory = OpenFile(work_directory, O_RDONLY | O_DIRECTORY);
  if (!directory.ok()) return MachineFault(directory.status());
  struct stat ours;
  if (fstat(directory->get(), &ours) != 0) return MachineFault(ErrnoError(errno, work_directory));
  const Activity uploading(activity, [this](uint64_t bytes) { current_.AddBytes(bytes); });
  std::vector<Delivery> deliveries(paths.size());
  const auto deliver = [&](size_t i) -> absl::Status {
    const std::string& path = paths[i];
    if (!CanBeAnObjectName(path)) return absl::OkStatus();
    const auto fd = OpenBelow(directory->get(), path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (absl::IsPermissionDenied(fd.status())) {
      deliveries[i].skipped = std::string(fd.status().message());
      return absl::OkStatus();
    }
    if (!fd.ok()) return Annotate(fd.status(), "output");
    // A link may lead to another file system. Files on the task's own are always outputs.
    struct stat source;
    if (fstat(fd->get(), &source) == 0 && source.st_dev != ours.st_dev) {
      ASSIGN_OR_RETURN(deliveries[i].skipped, ProblemOfTarget(fd->get(), path));
      if (!deliveries[i].skipped.empty()) return absl::OkStatus();
    }
    const std::string url = absl::StrCat(directory_url, "/", path);
    ASSIGN_OR_RETURN(const ObjectInfo info, store_.Upload(fd->get(), url, options, uploading));
    deliveries[i].delivered = DeliveredFile{path, url, info.size, info.crc32c, info.generation};
    current_.AddFile();
    return absl::OkStatus();
  };
  std::atomic<int> failures = 0;
  absl::Status status = ParallelFor(paths.size(), transfers_, [&](size_t i) {
    absl::Status failed = deliver(i);
    if (failed.ok() || IsMachineFault(failed) || absl::IsCancelled(failed)) return failed;
    deliveries[i].failed = failed;
    return ++failures < kMaxFailures ? absl::OkStatus() : failed;
  });
  status = FirstFailure(deliveries, status);
  for (size_t i = 0; i < paths.size(); ++i) {
    if (deliveries[i].delivered) result.files.push_back(*std::move(deliveries[i].delivered));
    if (!deliveries[i].skipped.empty()) result.skipped.push_back({paths[i], deliveries[i].skipped});
  }
  status.Update(BadNames(paths));
  return status;
}

}  // namespace sparkles
