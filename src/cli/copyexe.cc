// copyexe: puts a copy of the running program where another container finds it.
#include <fcntl.h>

#include <iostream>

#include "base/copy.h"
#include "base/file.h"
#include "base/status.h"
#include "cli/commands.h"
#include "worker/exit_code.h"

namespace sparkles {
namespace {

absl::Status CopyExecutable(const std::string& dst) {
  RETURN_IF_ERROR(MakeFolders(FolderOf(dst)));
  ASSIGN_OR_RETURN(const UniqueFd self, OpenFile("/proc/self/exe", O_RDONLY));
  ASSIGN_OR_RETURN(AtomicFile copy, AtomicFile::Create(dst, 0777));
  const auto copied =
      CopyContent(self.get(), copy.fd(), nullptr, [](uint64_t) { return absl::OkStatus(); });
  if (!copied.ok()) return Annotate(copied.status(), dst);
  return copy.Commit(/*durable=*/true);
}

}  // namespace

int RunCopyexe(const CopyexeOptions& options) {
  const absl::Status copied = CopyExecutable(options.dst);
  if (copied.ok()) return kExitDone;
  std::cerr << "sparklesworker copyexe: " << copied.message() << "\n";
  return kExitFailed;
}

}  // namespace sparkles
