// A terminal of a given width, for code that behaves differently on a terminal.
#pragma once

#include <string>

#include "base/fd.h"

namespace sparkles {

class Terminal {
 public:
  // With `columns` 0 the terminal does not know its width.
  explicit Terminal(unsigned short columns);

  // The descriptor that a program writes to.
  int fd() const { return inside_.get(); }
  // The bytes written since the last call.
  std::string TakeOutput();

 private:
  UniqueFd outside_;
  UniqueFd inside_;
};

}  // namespace sparkles
