// Google takes a Spot VM away half a minute after it said so. The metadata server says it first.
#pragma once

#include <optional>
#include <string>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "gcp/metadata_server.h"

namespace sparkles {

// From construction to destruction, cancels `preempted` (kHandBack) once `instance/preempted` is
// true.
// Asks by long polls, so that it knows at once and costs a request a minute. Where there is no
// metadata server, or it has no such value, nothing is watched.
class PreemptionWatch {
 public:
  // Borrows all. Checks once before it returns, since a preempted VM must not claim a task. `stop`
  // ends that check; the destructor ends a question that is under way.
  PreemptionWatch(MetadataServer& metadata, Clock& clock, const CancelToken& stop,
                  CancelToken& preempted, Log log);

 private:
  void Watch(const CancelToken& done);
  // False if it is known that there is nothing (more) to watch.
  bool Take(const absl::StatusOr<MetadataValue>& answer);

  MetadataServer& metadata_;
  Clock& clock_;
  CancelToken& preempted_;
  const Log log_;
  std::string etag_;
  std::optional<Housekeeper> thread_;
};

}  // namespace sparkles
