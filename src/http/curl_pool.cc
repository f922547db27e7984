#include "http/curl_pool.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace sparkles {

absl::StatusOr<CurlSlot> MakeCurlSlot(const std::string& origin) {
  CurlSlot slot{origin, "", CurlMulti(curl_multi_init()), CurlEasy(curl_easy_init())};
  if (slot.multi == nullptr || slot.easy == nullptr ||
      curl_multi_setopt(slot.multi.get(), CURLMOPT_MAXCONNECTS, 1L) != CURLM_OK) {
    return MachineFault(
        absl::ResourceExhaustedError("libcurl has no memory or descriptors for a connection"));
  }
  return slot;
}

absl::StatusOr<CurlSlot> CurlPool::Take(const std::string& origin) {
  {
    MutexLock lock(mutex_);
    const auto youngest = std::find_if(idle_.rbegin(), idle_.rend(),
                                       [&](const CurlSlot& slot) { return slot.origin == origin; });
    if (youngest != idle_.rend()) {
      CurlSlot slot = std::move(*youngest);
      idle_.erase(std::next(youngest).base());
      return slot;
    }
  }
  return MakeCurlSlot(origin);
}

void CurlPool::Return(CurlSlot slot) {
  CurlSlot surplus;  // closed after the lock is released, because TLS sends a last message
  MutexLock lock(mutex_);
  idle_.push_back(std::move(slot));
  if (idle_.size() <= max_idle_) return;
  surplus = std::move(idle_.front());
  idle_.erase(idle_.begin());
}

}  // namespace sparkles
