#include "gcp/token_cache.h"

#include <utility>

#include "base/delayed_cancel.h"
#include "base/status.h"
#include "http/transient.h"

namespace sparkles {
namespace {

// A token is renewed this long before it expires, as in Google's own clients. The metadata server
// gives a new token only in the last four minutes of the old one.
constexpr absl::Duration kRenewBefore = absl::Seconds(225);
// The time in which a waiting thread notices that it is cancelled.
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
    // The caller has a valid token and may have little time: a hand-back before the VM stops, or a
    // check of the claim.
    const TimeLimit limit(cancel, renewal_limit_);
    absl::StatusOr<AccessToken> token = EndFetch(source_.Get(limit.token()));
    // The renewal was cut off and the old token has expired meanwhile: fetch again without the
    // limit.
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
      renews = HasValid();
      return std::nullopt;
    }
    const uint64_t fetches = fetches_;
    while (fetches_ == fetches && !cancel.cancelled()) {
      fetch_ended_.WaitFor(mutex_, kCancelPoll);
    }
    // A cancelled fetch says nothing about the credentials.
    const bool failed = fetches_ != fetches && !last_error_.ok();
    if (failed && !absl::IsCancelled(last_error_)) return last_error_;
  }
}

bool TokenCache::HasValid() const { return token_ && clock_.Now() < token_->expiry; }

std::optional<AccessToken> TokenCache::FindUsable() const {
  if (!HasValid()) return std::nullopt;
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
    succeeded_ = true;
  } else if (succeeded_ && !absl::IsCancelled(fetched.status())) {
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
  // The fetch failed, or the server gave the same token again.
  next_renewal_ = now + renewal_backoff_.Next();
  if (!fetched.ok() && HasValid()) return *token_;
  return fetched;
}

void TokenCache::Invalidate(const AccessToken& token) {
  MutexLock lock(mutex_);
  if (token_ && token_->value == token.value) token_.reset();
}

}  // namespace sparkles
