// Creates nested directories, also deeper than PATH_MAX.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <string>

#include "base/fd.h"

namespace sparkles {

// Creates `levels` nested directories called `name` in `top`. Returns the innermost one, open, or
// an invalid descriptor after an error.
inline UniqueFd MakeDeepDirectory(const std::string& top, int levels, const std::string& name) {
  UniqueFd fd(open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < levels && fd.valid(); ++i) {
    if (mkdirat(fd.get(), name.c_str(), 0777) != 0) return UniqueFd();
    fd = UniqueFd(openat(fd.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  return fd;
}

}  // namespace sparkles
