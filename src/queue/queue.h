// The seam to where tasks come from and where their end is recorded.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/cancel.h"
#include "task/outcome.h"
#include "task/task.h"

namespace sparkles {

// A task that is ours until it is finished or handed back.
struct Claim {
  Task task;
  int attempt = 1;  // 1 for the first claim ever of this task
  int version = 0;  // what our claim wrote: the fence that Finish and HandBack check
};

// Used by one thread. Errors of Claim are worth another try later; the caller waits and repeats.
class Queue {
 public:
  virtual ~Queue() = default;

  // Takes one pending task; nullopt if there is none now. No two claimers get the same task. Tasks
  // that were claimed kMaxDisorderlyClaims times without an orderly end are failed on the way.
  virtual absl::StatusOr<std::optional<Claim>> ClaimOne(const CancelToken& cancel) = 0;

  // Records the end of a claim (complete, failed, killed). Aborted if the claim is no longer ours:
  // then nothing was recorded and the result is to be dropped.
  virtual absl::Status Finish(const Claim& claim, const Outcome& outcome) = 0;

  // Makes the task pending again, with the reason in its history. Aborted as above.
  virtual absl::Status HandBack(const Claim& claim, const std::string& reason) = 0;

  // Whether a task may still appear although ClaimOne found none (a cloud queue) or the list is
  // fixed (a file).
  virtual bool MoreMayCome() const = 0;
};

}  // namespace sparkles
