// Keeps a token while it is good and renews it before it ends.
// The one hard idea: there is no thread for it. Who meets a token in its last minutes renews it
// while all others go on with the old one, and does not wait for it long; only at the very end do
// they wait, all for one request.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/backoff.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "gcp/token_source.h"

namespace sparkles {

// Thread-safe.
class TokenCache : public TokenSource {
 public:
  // Borrows both. `renewal_limit`: real time that one call spends on renewing a good token.
  TokenCache(TokenSource& source, Clock& clock, absl::Duration renewal_limit = absl::Seconds(3))
      : source_(source), clock_(clock), renewal_limit_(renewal_limit) {}

  // Waits end at once when `cancel` is cancelled. If renewing fails or takes long, the old token is
  // given out until its end, and the next try to renew comes later each time. Errors of a source
  // that has worked are transient: what it needs (a file, a server) is away for a moment.
  absl::StatusOr<AccessToken> Get(const CancelToken& cancel) override;
  void Drop(const AccessToken& token) override;

 private:
  // A token that may be used now; none if it is the caller's turn to fetch one (fetching_ is then
  // set, and `renews` if the old one is still good); an error if the fetch that the caller waited
  // for failed.
  absl::StatusOr<std::optional<AccessToken>> FindOrWait(const CancelToken& cancel, bool& renews);
  bool HasGood() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<AccessToken> FindUsable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<AccessToken> EndFetch(absl::StatusOr<AccessToken> fetched);

  TokenSource& source_;
  Clock& clock_;
  const absl::Duration renewal_limit_;
  mutable Mutex mutex_;
  CondVar fetch_ended_;
  std::optional<AccessToken> token_ ABSL_GUARDED_BY(mutex_);
  bool worked_ ABSL_GUARDED_BY(mutex_) = false;  // the source gave a token once
  bool fetching_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t fetches_ ABSL_GUARDED_BY(mutex_) = 0;     // ended so far
  absl::Status last_error_ ABSL_GUARDED_BY(mutex_);  // of the last of them
  // A good token is not renewed before this.
  absl::Time next_renewal_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  Backoff renewal_backoff_ ABSL_GUARDED_BY(mutex_){absl::Seconds(10), absl::Seconds(80), 1};
};

}  // namespace sparkles
