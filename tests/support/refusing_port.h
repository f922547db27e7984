// A port where connections are refused.
#pragma once

#include <string>

#include "base/fd.h"

namespace sparkles {

// Taken, but not listened on: so nobody else can get it meanwhile.
class RefusingPort {
 public:
  RefusingPort();
  // "127.0.0.1:port".
  const std::string& host() const { return host_; }

 private:
  UniqueFd socket_;
  std::string host_;
};

}  // namespace sparkles
