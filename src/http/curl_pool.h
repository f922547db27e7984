// Keeps connections open between exchanges.
// Each slot has its own libcurl handles and one connection to one origin, so threads share no
// handle. The slot that was used last is used next, because it is most likely still alive.
#pragma once

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "http/curl_handles.h"

namespace sparkles {

struct CurlSlot {
  std::string origin;
  std::string proxy;  // the connection's proxy, for messages; empty if there is none
  CurlMulti multi;    // owns the connection
  CurlEasy easy;      // destroyed first
};

// A machine fault if memory or descriptors run out.
absl::StatusOr<CurlSlot> MakeCurlSlot(const std::string& origin);

// Thread-safe.
class CurlPool {
 public:
  // Keeps at most `max_idle` slots. The number of slots in use is not limited.
  explicit CurlPool(size_t max_idle) : max_idle_(max_idle) {}

  // The idle slot of that origin that was used last, or a new one. A machine fault if memory or
  // descriptors run out.
  absl::StatusOr<CurlSlot> Take(const std::string& origin);
  void Return(CurlSlot slot);

 private:
  const size_t max_idle_;
  Mutex mutex_;
  std::vector<CurlSlot> idle_ ABSL_GUARDED_BY(mutex_);  // in order of last use
};

}  // namespace sparkles
