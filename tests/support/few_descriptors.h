// Simulates a process that is short of file descriptors.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>

#include "base/fd.h"

namespace sparkles {

// During its lifetime, at most `more` descriptors can be opened above the first free one.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t more) {
    const UniqueFd next(dup(STDIN_FILENO));
    if (!next.valid() || getrlimit(RLIMIT_NOFILE, &old_) != 0) abort();
    const rlimit few = {static_cast<rlim_t>(next.get()) + more, old_.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &few) != 0) abort();
  }
  ~FewDescriptors() {
    if (setrlimit(RLIMIT_NOFILE, &old_) != 0) abort();
  }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit old_;
};

}  // namespace sparkles
