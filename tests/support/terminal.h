// A terminal of a given width, for what shows itself only on one.
#pragma once

#include <string>

#include "base/fd.h"

namespace sparkles {

class Terminal {
 public:
  // `columns` 0: a terminal that does not know its width.
  explicit Terminal(unsigned short columns);

  // What a program writes to.
  int fd() const { return inside_.get(); }
  // What was written since the last call, byte for byte.
  std::string TakeOutput();

 private:
  UniqueFd outside_;
  UniqueFd inside_;
};

}  // namespace sparkles
