// Keeps a token until shortly before it expires, and then renews it.
// There is no thread for renewal. The first caller in the last minutes of a token renews it, with a
// time limit, and other callers still get the old token. After the token has expired all callers
// wait for one request.
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
  // Borrows both. `renewal_limit` is the real time that one call may spend to renew a valid token.
  TokenCache(TokenSource& source, Clock& clock, absl::Duration renewal_limit = absl::Seconds(3))
      : source_(source), clock_(clock), renewal_limit_(renewal_limit) {}

  // A cancelled `cancel` ends all waits at once. If a renewal fails or takes too long, callers get
  // the old token until it expires, and the time to the next renewal grows. After the first token,
  // errors of the source are transient, because its file or server may come back.
  absl::StatusOr<AccessToken> Get(const CancelToken& cancel) override;
  void Invalidate(const AccessToken& token) override;

 private:
  // A token for use now, nullopt if the caller must fetch one, or the error of the fetch that this
  // call waited for. With nullopt `fetching_` is set, and `renews` is true if the old token is
  // still valid.
  absl::StatusOr<std::optional<AccessToken>> FindOrWait(const CancelToken& cancel, bool& renews);
  bool HasValid() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<AccessToken> FindUsable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<AccessToken> EndFetch(absl::StatusOr<AccessToken> fetched);

  TokenSource& source_;
  Clock& clock_;
  const absl::Duration renewal_limit_;
  mutable Mutex mutex_;
  CondVar fetch_ended_;
  std::optional<AccessToken> token_ ABSL_GUARDED_BY(mutex_);
  bool succeeded_ ABSL_GUARDED_BY(mutex_) = false;  // the source has given a token
  bool fetching_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t fetches_ ABSL_GUARDED_BY(mutex_) = 0;     // number of ended fetches
  absl::Status last_error_ ABSL_GUARDED_BY(mutex_);  // of the last fetch
  // A valid token is not renewed before this time.
  absl::Time next_renewal_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  Backoff renewal_backoff_ ABSL_GUARDED_BY(mutex_){absl::Seconds(10), absl::Seconds(80), 1};
};

}  // namespace sparkles
