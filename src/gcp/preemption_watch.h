// Watches for the notice that Google will stop this Spot VM in 30 seconds.
#pragma once

#include <optional>
#include <string>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "gcp/metadata_server.h"

namespace sparkles {

// From construction to destruction, cancels `preempted` (kHandBack) when `instance/preempted`
// becomes true. Uses long polls, so that it learns of the change at once with one request a minute.
// Does nothing if there is no metadata server, or if the server does not have this value.
class PreemptionWatch {
 public:
  // Borrows all. Checks once before the constructor returns, because a preempted VM must not claim
  // a task. `stop` ends that check. The destructor ends a request in progress.
  PreemptionWatch(MetadataServer& metadata, Clock& clock, const CancelToken& stop,
                  CancelToken& preempted, Log log);

 private:
  void Watch(const CancelToken& done);
  // False if watching makes no sense any more.
  bool HandleAnswer(const absl::StatusOr<MetadataValue>& answer);

  MetadataServer& metadata_;
  Clock& clock_;
  CancelToken& preempted_;
  const Log log_;
  std::string etag_;
  std::optional<Housekeeper> thread_;
};

}  // namespace sparkles
