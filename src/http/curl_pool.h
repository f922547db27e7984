// Connections for use by one exchange at a time, kept open in between.
// The one hard idea: a slot is a libcurl of its own with one connection to one origin. So no thread
// ever shares a handle, and what was used last, and is most likely still alive, is used next.
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
  std::string proxy;  // of the connection, for messages; empty: no proxy
  CurlMulti multi;    // has the connection
  CurlEasy easy;      // destroyed first
};

// A machine fault if memory or descriptors run out.
absl::StatusOr<CurlSlot> MakeCurlSlot(const std::string& origin);

// Thread-safe.
class CurlPool {
 public:
  // As many exchanges as wanted can run at once; `max_idle` slots stay when they have ended.
  explicit CurlPool(size_t max_idle) : max_idle_(max_idle) {}

  // The youngest idle slot of that origin, or a new one.
  absl::StatusOr<CurlSlot> Take(const std::string& origin);
  void Return(CurlSlot slot);

 private:
  const size_t max_idle_;
  Mutex mutex_;
  std::vector<CurlSlot> idle_ ABSL_GUARDED_BY(mutex_);  // the youngest last
};

}  // namespace sparkles
