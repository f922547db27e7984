// Root may read everything, which would make tests of permissions pass for the wrong reason.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace sparkles {

// While it lives the process, if it was root, is nobody, and `folder` (in which the test works) is
// nobody's.
class Unprivileged {
 public:
  explicit Unprivileged(const std::string& folder) : root_(geteuid() == 0) {
    if (!root_) return;
    if (chown(folder.c_str(), kNobody, kNobody) != 0 || seteuid(kNobody) != 0) abort();
  }
  ~Unprivileged() {
    if (root_ && seteuid(0) != 0) abort();
  }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

 private:
  static constexpr uid_t kNobody = 65534;
  const bool root_;
};

}  // namespace sparkles
