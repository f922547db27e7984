// copyexe: puts a copy of the running program where another container finds it.
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

// The running program, also if its name is now that of another file, or of none.
absl::StatusOr<UniqueFd> OpenOwnExecutable() {
  absl::StatusOr<UniqueFd> self = OpenFile("/proc/self/exe", O_RDONLY);
  if (self.ok()) return self;
  // Images without /proc: the kernel has told us the name that we were started by.
  const auto* name =
      reinterpret_cast<const char*>(getauxval(AT_EXECFN));  // NOLINT(performance-no-int-to-ptr)
  return name == nullptr ? std::move(self) : OpenFile(name, O_RDONLY);
}

// Returns the number of bytes.
absl::StatusOr<uint64_t> CopyExecutable(const std::string& dst) {
  RETURN_IF_ERROR(CheckReplaceable(dst));
  RETURN_IF_ERROR(MakeFolders(FolderOf(dst)));
  ASSIGN_OR_RETURN(const UniqueFd self, OpenOwnExecutable());
  ASSIGN_OR_RETURN(AtomicFile copy, AtomicFile::Create(dst, 0777));
  const absl::StatusOr<uint64_t> size = CopyContent(self.get(), copy.fd(), nullptr, Activity());
  if (!size.ok()) return Annotate(size.status(), dst);
  ASSIGN_OR_RETURN(const std::string ours,
                   HashFile(HashKind::kSha256, self.get(), "the running program"));
  ASSIGN_OR_RETURN(const std::string theirs, HashFile(HashKind::kSha256, copy.fd(), dst));
  if (ours != theirs) {
    return absl::DataLossError(dst + ": reading the copy gave other bytes than were written");
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
