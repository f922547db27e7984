// The command `copyexe`: copies the running program, for example for another container.
#include <fcntl.h>
#include <sys/auxv.h>

#include <iostream>

#include "base/copy.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "cli/commands.h"
#include "worker/exit_code.h"

namespace sparkles {
namespace {

// Opens the running program, even if its file was replaced or removed.
absl::StatusOr<UniqueFd> OpenOwnExecutable() {
  absl::StatusOr<UniqueFd> self = OpenFile("/proc/self/exe", O_RDONLY);
  if (self.ok()) return self;
  // For images without /proc: AT_EXECFN is the path that started the program.
  const auto* name =
      reinterpret_cast<const char*>(getauxval(AT_EXECFN));  // NOLINT(performance-no-int-to-ptr)
  return name == nullptr ? std::move(self) : OpenFile(name, O_RDONLY);
}

// Copies the program to `dst` and checks the copy. Returns the number of bytes.
absl::StatusOr<uint64_t> CopyExecutable(const std::string& dst) {
  RETURN_IF_ERROR(CheckReplaceable(dst));
  RETURN_IF_ERROR(MakeDirectories(DirectoryOf(dst)));
  ASSIGN_OR_RETURN(const UniqueFd self, OpenOwnExecutable());
  ASSIGN_OR_RETURN(AtomicFile copy, AtomicFile::Create(dst, 0777));
  const absl::StatusOr<uint64_t> size = CopyContent(self.get(), copy.fd(), nullptr, Activity());
  if (!size.ok()) return Annotate(size.status(), dst);
  ASSIGN_OR_RETURN(const std::string ours,
                   HashFile(HashKind::kSha256, self.get(), "the running program"));
  ASSIGN_OR_RETURN(const std::string theirs, HashFile(HashKind::kSha256, copy.fd(), dst));
  if (ours != theirs) {
    return absl::DataLossError(dst + ": the copy differs from the program; check the disk");
  }
  RETURN_IF_ERROR(copy.Commit(/*durable=*/true));
  return *size;
}

}  // namespace

int RunCopyexe(const CopyexeOptions& options) {
  const absl::StatusOr<uint64_t> size = CopyExecutable(options.dst);
  if (!size.ok()) {
    std::cerr << "sparklesworker copyexe: " << size.status().message() << "\n";
    return kExitFailed;
  }
  std::cout << "copied " << *size << " bytes to " << options.dst << "\n";
  return kExitDone;
}

}  // namespace sparkles
