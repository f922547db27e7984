// Folders one in the other, also deeper than PATH_MAX allows to name.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <string>

#include "base/fd.h"

namespace sparkles {

// Makes `levels` folders called `name`, one in the other, in `top`. Returns the innermost, open; an
// invalid descriptor if one could not be made.
inline UniqueFd MakeDeepFolder(const std::string& top, int levels, const std::string& name) {
  UniqueFd fd(open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < levels && fd.valid(); ++i) {
    if (mkdirat(fd.get(), name.c_str(), 0777) != 0) return UniqueFd();
    fd = UniqueFd(openat(fd.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  return fd;
}

}  // namespace sparkles
