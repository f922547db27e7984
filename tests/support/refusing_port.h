// A port that refuses connections.
#pragma once

#include <string>

#include "base/fd.h"

namespace sparkles {

// Bound but not listening, so that no other process gets the port meanwhile.
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
