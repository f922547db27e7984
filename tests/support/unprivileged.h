// Runs a test without root's rights, because root may read everything and permission tests would
// pass for the wrong reason.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace sparkles {

// During its lifetime a root process runs as the user "nobody", which also owns `directory`, the
// test's directory.
class Unprivileged {
 public:
  explicit Unprivileged(const std::string& directory) : root_(geteuid() == 0) {
    if (!root_) return;
    if (chown(directory.c_str(), kNobody, kNobody) != 0 || seteuid(kNobody) != 0) abort();
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
