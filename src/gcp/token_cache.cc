#include "gcp/token_cache.h"

#include <utility>

#include "base/late_cancel.h"
#include "base/status.h"
#include "http/transient.h"

namespace sparkles {
namespace {

// So long before its end a token is renewed; Google's own clients do the same. The metadata server
// gives out a new one only four minutes before the end of the old one.
constexpr absl::Duration kRenewBefore = absl::Seconds(225);
// How soon a waiting thread sees that it is cancelled.
constexpr absl::Duration kCancelPoll = absl::Milliseconds(50);

bool IsStale(const AccessToken& token, absl::Time now) {
  return now >= token.expiry - kRenewBefore;
}

}  // namespace

absl::StatusOr<AccessToken> TokenCache::Get(const CancelToken& cancel) {
  while (true) {
    bool renews = false;
    ASSIGN_OR_RETURN(std::optional<AccessToken> found, FindOrWait(cancel, renews));
    if (found) return *std::move(found);
    if (!renews) return EndFetch(source_.Get(cancel));
    // Who has a good token may be in a hurry: a hand-back before the VM goes, a look at the claim.
    const TimeLimit limit(cancel, renewal_limit_);
    absl::StatusOr<AccessToken> token = EndFetch(source_.Get(limit.token()));
    // Cut off at the very end of the old token: there is nothing to go on with.
    const bool cut = !token.ok() && limit.token().cancelled() && !cancel.cancelled();
    if (!cut) return token;
  }
}

absl::StatusOr<std::optional<AccessToken>> TokenCache::FindOrWait(const CancelToken& cancel,
                                                                  bool& renews) {
  MutexLock lock(mutex_);
  while (true) {
    if (cancel.cancelled()) return absl::CancelledError(cancel.reason());
    if (std::optional<AccessToken> usable = FindUsable()) return usable;
    if (!fetching_) {
      fetching_ = true;
      renews = HasGood();
      return std::nullopt;
    }
    const uint64_t fetches = fetches_;
    while (fetches_ == fetches && !cancel.cancelled()) {
      fetch_ended_.WaitFor(mutex_, kCancelPoll);
    }
    // That the thread which fetched was cancelled says nothing about the credentials.
    const bool failed = fetches_ != fetches && !last_error_.ok();
    if (failed && !absl::IsCancelled(last_error_)) return last_error_;
  }
}

bool TokenCache::HasGood() const { return token_ && clock_.Now() < token_->expiry; }

std::optional<AccessToken> TokenCache::FindUsable() const {
  if (!HasGood()) return std::nullopt;
  const absl::Time now = clock_.Now();
  const bool renew = IsStale(*token_, now) && now >= next_renewal_ && !fetching_;
  return renew ? std::nullopt : token_;
}

absl::StatusOr<AccessToken> TokenCache::EndFetch(absl::StatusOr<AccessToken> fetched) {
  MutexLock lock(mutex_);
  const absl::Time now = clock_.Now();
  fetching_ = false;
  ++fetches_;
  if (fetched.ok()) {
    worked_ = true;
  } else if (worked_ && !absl::IsCancelled(fetched.status())) {
    fetched = Transient(fetched.status(), /*maybe_applied=*/false, RetryAfter(fetched.status()));
  }
  last_error_ = fetched.status();
  fetch_ended_.NotifyAll();
  if (fetched.ok()) token_ = *fetched;
  if (fetched.ok() && !IsStale(*fetched, now)) {
    next_renewal_ = absl::InfinitePast();
    renewal_backoff_.Reset();
    return fetched;
  }
  // It failed, or the server gave out the same token again.
  next_renewal_ = now + renewal_backoff_.Next();
  if (!fetched.ok() && HasGood()) return *token_;
  return fetched;
}

void TokenCache::Drop(const AccessToken& token) {
  MutexLock lock(mutex_);
  if (token_ && token_->value == token.value) token_.reset();
}

}  // namespace sparkles
