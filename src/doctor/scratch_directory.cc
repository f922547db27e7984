#include "doctor/scratch_directory.h"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"

namespace sparkles {

absl::StatusOr<ScratchDirectory> ScratchDirectory::Create(const std::string& parent) {
  std::string path = absl::StrCat(parent, "/", kTempFilePrefix, "doctor-XXXXXX");
  if (mkdtemp(path.data()) == nullptr) return ErrnoError(errno, parent);
  return ScratchDirectory(std::move(path));
}

ScratchDirectory::~ScratchDirectory() {
  if (path_.empty()) return;
  for (const std::string& file : files_) unlink(file.c_str());
  rmdir(path_.c_str());
}

}  // namespace sparkles
